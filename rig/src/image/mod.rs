//! Guest images: kernel package, module closure, initramfs.
//!
//! Must not know cells or QEMU. Units: bytes. Errors: `ImageError`; it blames the recipe, the mirror or the disk.
//! Tests: beside the modules; real packages in `tests/guest.rs`.
