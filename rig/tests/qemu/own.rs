//! Kernels of one's own on real guests: the unpacked package of a kernel in the forms in which one's own comes.

use std::path::{Path, PathBuf};
use std::process::Command;

use rig::image::apt::Apt;
use rig::image::{Cache, Fetch, Image, ImageError, Recipes, ensure_with};
use rig::record::format::BlockStatus;

use crate::play::{Scene, reason, with_init};
use crate::support::guest::TestImage;
use crate::{image_or_return, support};

/// The package that this image's kernel came in, where the cache still has it.
fn package_of(image: &Image) -> Option<PathBuf> {
    let begin = image.package.split_once(' ').map(|(name, version)| format!("{name}_{version}_"))?;
    let folder = Cache::of_user().ok()?.root().join("packages");
    let entries = fs_err::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    entries.into_iter().find(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().replace("%3a", ":").starts_with(&begin))
    })
}

fn unpack(package: &Path, folder: &Path) {
    let done = Command::new("dpkg-deb").arg("-x").arg(package).arg(folder).status().unwrap();
    assert!(done.success(), "{done}");
}

/// The image of the kernel at this path. Fetched packages and lists are shared; what is built is not.
fn built(path: &Path, cache: &Path) -> Result<Image, ImageError> {
    let recipe = Recipes::of("nowhere").load(path.to_str().unwrap()).unwrap();
    let apt = Apt::new(Cache::of_user().unwrap().root());
    ensure_with(&recipe, &Cache::at(cache), Fetch::IfMissing, &apt, &mut |_| {})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpacked_package_plays_as_a_kernel_of_ones_own() {
    let packaged = image_or_return!("6.1");
    let Some(package) = package_of(&packaged.image) else {
        return support::skip("the cache no longer has the package of kernel 6.1");
    };
    let folder = tempfile::tempdir().unwrap();
    let (root, cache) = (folder.path().join("root"), folder.path().join("cache"));
    unpack(&package, &root);
    let own = match built(&root, &cache) {
        Ok(own) => own,
        Err(error @ ImageError::Mirror { .. }) => return support::skip(&error.to_string()),
        Err(error) => panic!("{error:?}"),
    };
    assert_eq!(own.package, format!("installed {}", packaged.image.release));
    assert_eq!((&own.kernel_sha256, &own.modules), (&packaged.image.kernel_sha256, &packaged.image.modules));
    assert!(own.is_own() && !packaged.image.is_own() && own.config_sha256.is_some());
    assert_eq!(own.config_sha256, packaged.image.config_sha256, "both have the configuration of the package");
    // As its package it is the same kernel with the same modules, and so the same image.
    let as_package = built(&package, &cache).unwrap();
    assert_eq!(
        (as_package.digest.as_str(), as_package.package.split(' ').next()),
        (own.digest.as_str(), Some("packages"))
    );

    let image = Image { name: packaged.image.name.clone(), ..own };
    let scene = Scene::of(TestImage { image, keys: packaged.keys }, "quick", "virtio-tap");
    let record = scene.play(3, async |_| ()).await;
    assert!(matches!(record.status, BlockStatus::Complete), "{record:?}");
    assert_eq!(record.target.kernel_package, format!("installed {}", packaged.image.release));
    assert!(
        record.target.command_line.iter().any(|word| word.ends_with("loglevel=7")),
        "{:?}",
        record.target.command_line
    );
    let hello = record.target_hello.expect("its agent spoke");
    assert_eq!(hello.kernel_release, packaged.image.release);
    assert!(hello.kernel_version.starts_with('#'), "uname -v: {}", hello.kernel_version);
}

#[test]
fn a_kernel_without_virtio_net_is_refused_before_a_boot() {
    let packaged = image_or_return!("6.1").image;
    let Some(package) = package_of(&packaged) else {
        return support::skip("the cache no longer has the package of kernel 6.1");
    };
    let folder = tempfile::tempdir().unwrap();
    let (root, cache) = (folder.path().join("root"), folder.path().join("cache"));
    unpack(&package, &root);
    let config = root.join("boot").join(format!("config-{}", packaged.release));
    let text = fs_err::read_to_string(&config).unwrap();
    assert!(text.contains("CONFIG_VIRTIO_NET=m"), "it is a module of Debian's");
    fs_err::write(&config, text.replace("CONFIG_VIRTIO_NET=m", "# CONFIG_VIRTIO_NET is not set")).unwrap();
    let refused = |root: &Path| {
        let error = built(root, &cache).unwrap_err();
        assert!(error.blames_input(), "{error:?}");
        format!("{error}\n{}", miette::Diagnostic::help(&error).unwrap())
    };
    let told = refused(&root);
    assert!(
        told.contains("it lacks CONFIG_VIRTIO_NET\n")
            && told.contains("CONFIG_VIRTIO_NET=y  (the network cards)"),
        "{told}"
    );
    // The configuration is as it was, and the file of the module is gone.
    fs_err::write(&config, text).unwrap();
    let module = "kernel/drivers/net/virtio_net.ko";
    fs_err::remove_file(root.join("lib/modules").join(&packaged.release).join(module)).unwrap();
    assert!(refused(&root).contains("there is no virtio_net.ko"), "{}", refused(&root));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_at_boot_is_void_with_its_stage_and_last_lines() {
    let mut scene = Scene::of(image_or_return!("6.1"), "quick", "virtio-tap");
    for loaded in scene.laboratory.images.values_mut() {
        // A kernel whose init ends panics (kernel/exit.c).
        loaded.initramfs = with_init(&loaded.initramfs, b"#!/bin/sh\nexit 3\n");
    }
    let record = scene.play(3, async |_| panic!("no trial is played")).await;
    let reason = reason(&record);
    for part in
        ["guest: the guest's kernel panicked: ", "(the kernel began, no init did); ", "of its console w"]
    {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    assert!(record.target_hello.is_none());
    support::say(&reason);
}
