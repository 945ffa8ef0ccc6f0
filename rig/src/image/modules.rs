//! Which kernel modules go in, and in which order they must be loaded.
//!
//! Debian makes `modules.dep` at installation, so the dependencies are read from where depmod finds them: the modules' own
//! `.modinfo` (`depends=`, and `softdep=pre:`). Must not know packages or archives. Units: bytes.
//! Errors: [`ModuleError`]; an unknown name blames the recipe, everything else the kernel package.
//! Tests: below, on hand-made modules.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;

use thiserror::Error;

use crate::document::hint;
use crate::elf::{Elf, ElfError, module_info};

/// Why the modules cannot be put together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ModuleError {
    /// The kernel has no such module, neither as a file nor built in.
    #[error("kernel {release} has no module {module:?}{}", which_needs(.needed_by.as_deref()))]
    Unknown {
        /// What was asked for.
        module: String,
        /// Which module depends on it; none when the recipe asks for it.
        needed_by: Option<String>,
        /// Of this kernel.
        release: String,
        /// Which of its names was probably meant, and what there is.
        help: String,
    },
    /// A module cannot be read.
    #[error("module {module} of kernel {release}: {problem}")]
    Unreadable {
        /// Which.
        module: String,
        /// Of this kernel.
        release: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Modules that need each other: no order loads them.
    #[error("modules of kernel {release} need each other: {}", .modules.join(" -> "))]
    Cycle {
        /// The way round.
        modules: Vec<String>,
        /// Of this kernel.
        release: String,
    },
}

fn which_needs(module: Option<&str>) -> String {
    module.map(|module| format!(", which {module} needs")).unwrap_or_default()
}

/// A module, ready to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its name, with underscores.
    pub name: String,
    /// The ELF file, decompressed, signature included.
    pub bytes: Vec<u8>,
    /// Modules that must be there before it, directly, in no order; built-in ones are left out.
    pub needs: Vec<String>,
    /// Names by which the kernel may ask for it: `nfnetlink-subsys-10`, `nft-expr-1-reject`.
    pub aliases: Vec<String>,
}

/// What a module's file holds, or where it lies: a built tree has thousands, of which a guest takes a few.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Out of a package.
    Bytes(Vec<u8>),
    /// On disk.
    File(PathBuf),
}

/// The modules of a kernel.
#[derive(Debug, Clone, Default)]
pub struct ModuleTree {
    release: String,
    builtin: BTreeSet<String>,
    files: BTreeMap<String, (String, Content)>,
}

impl ModuleTree {
    /// Of kernel `release`: its `modules.builtin`, and its module files (path, content; `.ko`, `.ko.xz` or `.ko.gz`).
    pub fn new(release: &str, builtin: &str, files: impl IntoIterator<Item = (String, Content)>) -> Self {
        Self {
            release: release.to_owned(),
            builtin: builtin.lines().filter_map(module_name).collect(),
            files: files
                .into_iter()
                .filter_map(|(path, bytes)| Some((module_name(&path)?, (path, bytes))))
                .collect(),
        }
    }

    /// `wanted` and everything that they depend on, each after what it needs; built-in ones are left out.
    pub fn closure(&self, wanted: &[String]) -> Result<Vec<Module>, ModuleError> {
        let mut walk = Walk { tree: self, way: Vec::new(), done: BTreeSet::new(), order: Vec::new() };
        for name in wanted {
            walk.visit(&normal(name))?;
        }
        Ok(walk.order)
    }

    /// Whether the kernel has this module, as a file or built in.
    pub fn has(&self, module: &str) -> bool {
        let name = normal(module);
        self.files.contains_key(&name) || self.builtin.contains(&name)
    }

    /// Whether the kernel has this module as a file: it can be loaded.
    pub fn loads(&self, module: &str) -> bool {
        self.files.contains_key(&normal(module))
    }

    /// Whether nothing is known of the kernel's modules: neither a file nor one that is built in.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.builtin.is_empty()
    }

    /// With these too among those that are built in.
    pub fn with_built_in<'a>(mut self, modules: impl Iterator<Item = &'a str>) -> Self {
        self.builtin.extend(modules.map(normal));
        self
    }

    fn unknown(&self, module: &str, needed_by: Option<&String>) -> ModuleError {
        let known = self.files.keys().chain(&self.builtin);
        ModuleError::Unknown {
            module: module.to_owned(),
            needed_by: needed_by.cloned(),
            release: self.release.clone(),
            help: hint(module, known.map(String::as_str), "modules of this kernel"),
        }
    }

    fn load(&self, name: &str, path: &str, content: &Content) -> Result<Vec<u8>, ModuleError> {
        let bytes = match content {
            Content::Bytes(bytes) => Cow::Borrowed(bytes.as_slice()),
            Content::File(file) => {
                Cow::Owned(fs_err::read(file).map_err(|error| self.unreadable(name, error))?)
            }
        };
        let mut plain = Vec::new();
        if path.ends_with(".xz") {
            lzma_rs::xz_decompress(&mut &bytes[..], &mut plain)
                .map_err(|error| self.unreadable(name, format!("{error:?}")))?;
        } else if path.ends_with(".gz") {
            flate2::read::GzDecoder::new(&bytes[..])
                .read_to_end(&mut plain)
                .map_err(|error| self.unreadable(name, error))?;
        } else if path.ends_with(".zst") {
            let what =
                "compressed by zstd, which rig does not unpack: build with CONFIG_MODULE_COMPRESS_NONE=y";
            return Err(self.unreadable(name, what));
        } else {
            return Ok(bytes.into_owned());
        }
        Ok(plain)
    }

    fn unreadable(&self, module: &str, problem: impl ToString) -> ModuleError {
        ModuleError::Unreadable {
            module: module.to_owned(),
            release: self.release.clone(),
            problem: problem.to_string(),
        }
    }
}

struct Walk<'a> {
    tree: &'a ModuleTree,
    /// From the recipe's module down to the one being looked at.
    way: Vec<String>,
    done: BTreeSet<String>,
    order: Vec<Module>,
}

impl Walk<'_> {
    fn visit(&mut self, name: &str) -> Result<(), ModuleError> {
        if self.done.contains(name) || self.tree.builtin.contains(name) {
            return Ok(());
        }
        if let Some(start) = self.way.iter().position(|earlier| earlier == name) {
            let mut modules = self.way[start..].to_vec();
            modules.push(name.to_owned());
            return Err(ModuleError::Cycle { modules, release: self.tree.release.clone() });
        }
        let Some((path, content)) = self.tree.files.get(name) else {
            return Err(self.tree.unknown(name, self.way.last()));
        };
        let bytes = self.tree.load(name, path, content)?;
        let Info { hard, soft, aliases } =
            read_info(&bytes).map_err(|error| self.tree.unreadable(name, error))?;
        // A soft dependency may be an alias ("crypto-crc32c") or missing altogether: modprobe does not insist either.
        let soft = soft.into_iter().filter(|need| self.tree.files.contains_key(need));
        let mut needs: Vec<String> = hard.into_iter().chain(soft).collect();
        self.way.push(name.to_owned());
        for need in &needs {
            self.visit(need)?;
        }
        self.way.pop();
        needs.retain(|need| !self.tree.builtin.contains(need));
        self.done.insert(name.to_owned());
        self.order.push(Module { name: name.to_owned(), bytes, needs, aliases });
        Ok(())
    }
}

/// What a module says of itself.
#[derive(Debug, Default)]
struct Info {
    hard: Vec<String>,
    soft: Vec<String>,
    aliases: Vec<String>,
}

fn read_info(bytes: &[u8]) -> Result<Info, ElfError> {
    let mut info = Info::default();
    let Some(section) = Elf::parse(bytes)?.section(".modinfo")? else {
        return Err(ElfError::NoSection { name: ".modinfo" });
    };
    for (key, value) in module_info(section) {
        match key.as_str() {
            "depends" => info.hard.extend(value.split(',').filter(|name| !name.is_empty()).map(normal)),
            "softdep" => {
                let words = value.split_ascii_whitespace().skip_while(|word| *word != "pre:").skip(1);
                info.soft.extend(words.take_while(|word| *word != "post:").map(normal));
            }
            "alias" => info.aliases.push(value),
            _ => {}
        }
    }
    Ok(info)
}

/// `kernel/drivers/net/virtio_net.ko.xz` -> `virtio_net`; nothing for a file that is no module.
fn module_name(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    let plain = [".xz", ".gz", ".zst"].iter().find_map(|packed| file.strip_suffix(packed));
    let stem = plain.unwrap_or(file).strip_suffix(".ko")?;
    Some(normal(stem))
}

/// The kernel takes `-` and `_` in module names for the same.
pub(super) fn normal(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::tests::module;

    fn tree(modules: &[(&str, &[(&str, &str)])]) -> ModuleTree {
        let files = modules.iter().map(|(path, info)| {
            let bytes = module(info);
            if path.ends_with(".xz") {
                let mut packed = Vec::new();
                lzma_rs::xz_compress(&mut &bytes[..], &mut packed).unwrap();
                ((*path).to_owned(), Content::Bytes(packed))
            } else {
                ((*path).to_owned(), Content::Bytes(bytes))
            }
        });
        ModuleTree::new("6.1.0-test", "kernel/net/packet/af_packet.ko\nkernel/lib/crc-t10dif.ko\n", files)
    }

    fn order(tree: &ModuleTree, wanted: &[&str]) -> Result<Vec<String>, ModuleError> {
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        Ok(tree.closure(&wanted)?.into_iter().map(|module| module.name).collect())
    }

    fn virtio() -> ModuleTree {
        tree(&[
            ("kernel/drivers/net/virtio_net.ko.xz", &[("depends", "virtio_ring,virtio,net_failover")]),
            ("kernel/drivers/net/net_failover.ko", &[("depends", "failover")]),
            ("kernel/net/core/failover.ko", &[("depends", "")]),
            ("kernel/drivers/virtio/virtio.ko", &[]),
            ("kernel/drivers/virtio/virtio_ring.ko", &[("depends", "virtio")]),
            (
                "kernel/lib/libcrc32c.ko",
                &[("softdep", "pre: crypto-crc32c failover post: virtio"), ("depends", "af_packet")],
            ),
        ])
    }

    #[test]
    fn each_comes_after_what_it_needs_and_once() {
        assert_eq!(
            order(&virtio(), &["virtio_net", "virtio"]).unwrap(),
            ["virtio", "virtio_ring", "failover", "net_failover", "virtio_net"]
        );
    }

    #[test]
    fn compressed_modules_come_out_plain() {
        let modules = virtio().closure(&["virtio-net".to_owned()]).unwrap();
        assert!(modules.iter().all(|module| Elf::recognises(&module.bytes)));
    }

    #[test]
    fn modules_lie_on_disk_and_may_be_compressed_by_gzip() {
        use std::io::Write;
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("a.ko.gz");
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&module(&[("depends", "")])).unwrap();
        fs_err::write(&at, encoder.finish().unwrap()).unwrap();
        let tree = ModuleTree::new("6.1", "", [("kernel/a.ko.gz".to_owned(), Content::File(at.clone()))]);
        assert_eq!(tree.closure(&["a".to_owned()]).unwrap()[0].bytes, module(&[("depends", "")]));
        assert!(tree.loads("a") && !tree.is_empty() && ModuleTree::default().is_empty());
        fs_err::remove_file(&at).unwrap();
        assert!(order(&tree, &["a"]).unwrap_err().to_string().contains("a.ko.gz"));
        let tree = tree.with_built_in(["b-c"].into_iter());
        assert!(tree.has("b_c") && !tree.loads("b_c"));
    }

    #[test]
    fn built_in_and_soft_dependencies() {
        assert_eq!(order(&virtio(), &["af_packet", "crc_t10dif"]).unwrap(), Vec::<String>::new());
        assert_eq!(order(&virtio(), &["libcrc32c"]).unwrap(), ["failover", "libcrc32c"]);
    }

    #[test]
    fn each_says_what_it_needs_and_how_it_may_be_asked_for() {
        let tree = tree(&[
            (
                "kernel/net/nft-ct.ko",
                &[("alias", "nft-expr-ct"), ("alias", "nft-obj-3"), ("depends", "nf-tables,af_packet")],
            ),
            ("kernel/net/nf_tables.ko", &[("alias", "nfnetlink-subsys-10"), ("softdep", "pre: gone")]),
        ]);
        let modules = tree.closure(&["nft-ct".to_owned()]).unwrap();
        let told: Vec<_> =
            modules.iter().map(|m| (m.name.as_str(), m.needs.clone(), m.aliases.clone())).collect();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            told,
            [
                ("nf_tables", words(&[]), words(&["nfnetlink-subsys-10"])),
                ("nft_ct", words(&["nf_tables"]), words(&["nft-expr-ct", "nft-obj-3"])),
            ]
        );
    }

    #[test]
    fn an_unknown_name_is_said_with_what_was_meant() {
        let error = order(&virtio(), &["virtio_nett"]).unwrap_err();
        assert_eq!(error.to_string(), "kernel 6.1.0-test has no module \"virtio_nett\"");
        let ModuleError::Unknown { help, .. } = error else { panic!("{error:?}") };
        assert!(help.starts_with("did you mean `virtio_net`?\nmodules of this kernel: "), "{help}");
        let error = order(&virtio(), &["quite_another"]).unwrap_err();
        let ModuleError::Unknown { help, .. } = error else { panic!("{error:?}") };
        assert!(help.starts_with("modules of this kernel: ") && help.contains("`virtio_net`"), "{help}");
        let broken = tree(&[("a.ko", &[("depends", "gone")])]);
        assert_eq!(
            order(&broken, &["a"]).unwrap_err().to_string(),
            "kernel 6.1.0-test has no module \"gone\", which a needs"
        );
    }

    #[test]
    fn a_cycle_is_shown() {
        let cycle = tree(&[
            ("a.ko", &[("depends", "b")]),
            ("b.ko", &[("depends", "c")]),
            ("c.ko", &[("depends", "b")]),
        ]);
        assert_eq!(
            order(&cycle, &["a"]).unwrap_err().to_string(),
            "modules of kernel 6.1.0-test need each other: b -> c -> b"
        );
    }

    #[test]
    fn damaged_modules_are_named() {
        let tree = ModuleTree::new(
            "6.1.0-test",
            "",
            ["a.ko", "b.ko.xz", "c.ko.gz", "d.ko.zst"]
                .map(|name| (name.to_owned(), Content::Bytes(b"no".to_vec()))),
        );
        assert!(
            order(&tree, &["a"]).unwrap_err().to_string().starts_with("module a of kernel 6.1.0-test: not a")
        );
        for name in ["b", "c"] {
            let said = order(&tree, &[name]).unwrap_err().to_string();
            assert!(said.starts_with(&format!("module {name} of kernel")), "{said}");
        }
        assert!(order(&tree, &["d"]).unwrap_err().to_string().contains("zstd"));
    }
}
