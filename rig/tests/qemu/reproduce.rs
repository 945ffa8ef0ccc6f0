//! The same packages give the same bytes, in another cache and at another time.

use rig::image::apt::Apt;
use rig::image::{Cache, Fetch, ImageError, Recipes, ensure_with};

use crate::{image_or_return, support};

#[test]
fn an_image_is_reproducible() {
    let first = image_or_return!("6.1").image;
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipes::of("nowhere").load("6.1").unwrap();
    // Fetched packages and lists are shared; what is built is not.
    let apt = Apt::new(Cache::of_user().unwrap().root());
    let second = match ensure_with(&recipe, &Cache::at(folder.path()), Fetch::IfMissing, &apt, &mut |_| {}) {
        Ok(second) => second,
        Err(error @ ImageError::Mirror { .. }) => return support::skip(&error.to_string()),
        Err(error) => panic!("{error:?}"),
    };
    if second.packages == first.packages {
        assert_eq!(second.digest, first.digest);
    } else {
        support::say("the mirror has newer packages than the image: nothing to compare");
    }
}
