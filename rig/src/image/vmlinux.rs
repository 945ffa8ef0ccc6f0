//! The file of a kernel that has its symbols: where it lies beside a kernel of one's own, or where a distribution's debug package puts it.
//!
//! Must not read it. Units: none. Errors: the sentence that says where it was looked for. Tests: below.

use std::path::{Path, PathBuf};

use super::own::Own;
use super::recipes::Recipes;

/// Where Debian's `linux-image-RELEASE-dbg` puts it.
const OF_PACKAGE: &str = "usr/lib/debug/boot";

/// The `vmlinux` of the kernel that cells name so, and that lies at `at` where it is named by its path; `release` is its `uname -r`.
///
/// # Errors
/// A sentence: where it could lie.
pub fn find_vmlinux(kernel: &str, at: Option<&Path>, release: &str) -> Result<PathBuf, String> {
    let own = Recipes::default().load_at(kernel, at).ok().and_then(|recipe| recipe.kernel.own);
    let places = places(own.as_ref(), release, Path::new("/"));
    places.iter().find(|place| place.is_file()).cloned().ok_or_else(|| {
        let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        format!(
            "files and lines need a vmlinux with debug information (CONFIG_DEBUG_INFO): {}",
            places.join(" or ")
        )
    })
}

/// Where it may lie, the likeliest first.
fn places(own: Option<&Own>, release: &str, root: &Path) -> Vec<PathBuf> {
    let named = format!("vmlinux-{release}");
    let mut places = match own {
        None => vec![],
        Some(own) => match (own.tree(), own) {
            (Some(tree), _) => vec![tree.join("vmlinux")],
            (None, Own::Image { bzimage: file, .. }) => beside(file, &named),
            (None, Own::Path(path) | Own::Tree(path) | Own::Debs(path)) if path.is_dir() => {
                vec![path.join("boot").join(&named), path.join(OF_PACKAGE).join(&named)]
            }
            (None, Own::Path(path) | Own::Tree(path) | Own::Debs(path)) => beside(path, &named),
        },
    };
    places.push(root.join(OF_PACKAGE).join(&named));
    places
}

fn beside(file: &Path, named: &str) -> Vec<PathBuf> {
    [named, "vmlinux"].map(|name| file.with_file_name(name)).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lies_where_the_kernel_was_built_or_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |below: &str| folder.path().join(below);
        fs_err::create_dir_all(at("tree/arch/x86/boot")).unwrap();
        fs_err::write(at("tree/arch/x86/boot/bzImage"), "").unwrap();
        fs_err::create_dir_all(at("root/boot")).unwrap();
        let first = |own: Own| places(Some(&own), "6.1", Path::new("/r")).remove(0);
        assert_eq!(first(Own::Path(at("tree"))), at("tree/vmlinux"));
        assert_eq!(first(Own::Path(at("tree/arch/x86/boot/bzImage"))), at("tree/vmlinux"));
        assert_eq!(first(Own::Path(at("root"))), at("root/boot/vmlinux-6.1"));
        assert_eq!(first(Own::Path(at("bzImage"))), at("vmlinux-6.1"));
        let image = Own::Image { bzimage: at("a/bzImage"), modules: None };
        let all = places(Some(&image), "6.1", Path::new("/r"));
        let debian = PathBuf::from("/r/usr/lib/debug/boot/vmlinux-6.1");
        assert_eq!(all, [at("a/vmlinux-6.1"), at("a/vmlinux"), debian.clone()]);
        assert_eq!(places(None, "6.1", Path::new("/r")), [debian]);
    }

    #[test]
    fn where_there_is_none_all_places_are_named() {
        let said =
            find_vmlinux("./nowhere/bzImage", Some(Path::new("/nowhere/bzImage")), "6.1-x").unwrap_err();
        assert!(said.contains("CONFIG_DEBUG_INFO") && said.contains("/nowhere/vmlinux-6.1-x or "), "{said}");
        assert!(said.ends_with("/usr/lib/debug/boot/vmlinux-6.1-x"), "{said}");
    }
}
