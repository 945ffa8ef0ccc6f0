//! What is removed, and what is not.

use std::os::unix::fs::symlink;
use std::time::Duration;

use super::super::cache::tests::{built, cache, put};
use super::*;

fn names(doomed: &[Doomed]) -> Vec<String> {
    doomed.iter().map(|one| file_name(&one.path)).collect()
}

fn write(path: &Path, bytes: usize) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, vec![0; bytes]).unwrap();
}

fn clean(cache: &Cache, keep: &Keep) -> Freed {
    cache.remove(&cache.superfluous(keep).unwrap()).unwrap()
}

#[test]
fn cleaning_bounds_the_size_and_spares_what_is_needed() {
    let (_folder, cache) = cache();
    let old = put(&cache, "k", &built("6.1", "kernel"));
    put(&cache, "l", &built("6.12", "other kernel"));
    let before = SystemTime::now() - Duration::from_secs(3600);
    let manifest = old.kernel.with_file_name(MANIFEST);
    fs::OpenOptions::new().append(true).open(manifest).unwrap().file().set_modified(before).unwrap();
    drop(old);
    write(&cache.root().join("packages/p.deb"), 100);

    assert_eq!(clean(&cache, &Keep::Bytes(u64::MAX)), Freed::default());
    let all = size_of(&cache.images());
    assert_eq!(clean(&cache, &Keep::Bytes(all)), Freed { bytes: 100, images: 0, things: 1 });
    assert_eq!(clean(&cache, &Keep::Bytes(all - 1)).images, 1);
    assert!(cache.find("k").is_none() && cache.find("l").is_some());
    assert_eq!(clean(&cache, &Keep::Recipes(vec!["l".to_owned()])), Freed::default());
    assert_eq!(clean(&cache, &Keep::Nothing).images, 1);
    assert_eq!(cache.list(), []);
}

/// The promise of `rig clean`: images and downloads stay.
#[test]
fn leftovers_are_neither_images_nor_downloads() {
    let (_folder, cache) = cache();
    put(&cache, "k", &built("6.1", "kernel"));
    let state = "apt/bookworm-0123abcd";
    for kept in ["packages/p_1_amd64.deb", "probe/accelerator-0123456789abcdef.json", "visits/console/v.log"]
    {
        write(&cache.root().join(kept), 10);
    }
    write(&cache.root().join(state).join("lists/m_Packages.lz4"), 10);
    for left in [
        "images/.new-x/vmlinuz",
        "recipes/.tmpx",
        "packages/p.deb.FAILED",
        "probe/probe-x/console.log",
        "apt/bookworm-0123abcd/lists/partial/m_InRelease",
        "apt/bookworm-0123abcd/cache/archives/partial/p.deb",
        "apt/bookworm-0123abcd/lists.old/m",
    ] {
        write(&cache.root().join(left), 10);
    }
    let doomed = cache.leftovers(false).unwrap();
    assert!(doomed.iter().all(|one| one.what == What::Leftover && one.bytes == 10), "{doomed:?}");
    assert_eq!(
        names(&doomed),
        [".new-x", ".tmpx", "p.deb.FAILED", "probe-x", "m_InRelease", "p.deb", "lists.old"]
    );
    assert_eq!(cache.remove(&doomed).unwrap(), Freed { bytes: 70, images: 0, things: 7 });
    assert_eq!(cache.leftovers(false).unwrap(), []);
    assert_eq!(names(&cache.leftovers(true).unwrap()), ["accelerator-0123456789abcdef.json"]);
    assert!(cache.find("k").is_some());
    assert!(cache.root().join(state).join("lists/m_Packages.lz4").exists());
    assert!(cache.root().join("packages/p_1_amd64.deb").exists());
}

#[test]
fn what_is_not_of_rigs_form_stays() {
    let (_folder, cache) = cache();
    put(&cache, "k", &built("6.1", "kernel"));
    let foreign =
        ["images/holiday/1.jpg", "recipes/cake.txt", "packages/letter.txt", "apt/sources.list", "thesis"];
    for path in foreign {
        write(&cache.root().join(path), 10);
    }
    clean(&cache, &Keep::Nothing);
    cache.remove(&cache.leftovers(true).unwrap()).unwrap();
    for path in foreign {
        assert!(cache.root().join(path).exists(), "{path}");
    }
    assert_eq!(cache.list(), []);
}

#[test]
fn no_image_goes_while_one_is_in_use() {
    let (_folder, cache) = cache();
    let image = put(&cache, "k", &built("6.1", "kernel"));
    let doomed = cache.superfluous(&Keep::Nothing).unwrap();
    let error = cache.remove(&doomed).unwrap_err();
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    assert!(error.to_string().ends_with("nothing was removed"), "{error}");
    assert!(image.kernel.exists());
    // Another one can be built meanwhile.
    let other = put(&cache, "l", &built("6.12", "other kernel"));
    drop((image, other));
    assert_eq!(cache.remove(&doomed).unwrap().images, 1);
}

#[test]
fn a_folder_without_the_mark_is_left_alone_unless_it_has_rigs_form() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path().join("rig"));
    assert_eq!(cache.superfluous(&Keep::Nothing).unwrap(), [], "no folder, nothing to do");
    let image = "images/0123456789abcdef/vmlinuz";
    write(&cache.root().join(image), 10);
    write(&cache.root().join("thesis.tex"), 10);
    let error = cache.superfluous(&Keep::Nothing).unwrap_err();
    assert!(
        error.to_string().ends_with("it has no CACHEDIR.TAG of rig's, and other things are in it"),
        "{error}"
    );
    assert!(matches!(cache.leftovers(true), Err(ImageError::NotOfRig { .. })));
    // Building there does not make it rig's.
    put(&cache, "k", &built("6.1", "kernel"));
    assert!(matches!(cache.superfluous(&Keep::Nothing), Err(ImageError::NotOfRig { .. })));
    fs::remove_file(cache.root().join("thesis.tex")).unwrap();
    // As rig left it before there was a mark; it has one from then on.
    assert_eq!(clean(&cache, &Keep::Nothing).things, 2);
    let tag = fs::read_to_string(cache.root().join(TAG)).unwrap();
    assert_eq!(tag.lines().next(), Some("Signature: 8a477f597d28d172789f06886806bc55"));
    write(&cache.root().join("thesis.tex"), 10);
    assert_eq!(cache.superfluous(&Keep::Nothing).unwrap(), []);
}

#[test]
fn another_programs_mark_is_none() {
    let (_folder, cache) = cache();
    write(&cache.root().join("lock"), 0);
    fs::write(cache.root().join(TAG), format!("{SIGNATURE}\n# by another program\n")).unwrap();
    assert!(matches!(cache.leftovers(false), Err(ImageError::NotOfRig { .. })));
}

#[test]
fn no_link_is_followed() {
    let outside = tempfile::tempdir().unwrap();
    let precious = outside.path().join("0123456789abcdef");
    write(&precious.join("letter"), 10);
    for linked in ["images", "recipes", "apt", "packages", "probe"] {
        let (_folder, cache) = cache();
        write(&cache.root().join("lock"), 0);
        symlink(outside.path(), cache.root().join(linked)).unwrap();
        for refused in [cache.superfluous(&Keep::Nothing), cache.leftovers(true)] {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains("it is a link"), "{linked}: {error}");
        }
    }
    // The cache itself, and single things in it.
    let (_folder, inner) = cache();
    write(&inner.root().join("lock"), 0);
    let link = outside.path().join("rig");
    symlink(inner.root(), &link).unwrap();
    assert!(matches!(Cache::at(&link).leftovers(true), Err(ImageError::NotOfRig { .. })));
    fs::create_dir_all(inner.images()).unwrap();
    symlink(&precious, inner.images().join("0123456789abcdef")).unwrap();
    symlink(&precious, inner.images().join(".new-x")).unwrap();
    assert_eq!(inner.superfluous(&Keep::Nothing).unwrap(), []);
    assert_eq!(inner.leftovers(true).unwrap(), []);
    assert!(precious.join("letter").exists());
}
