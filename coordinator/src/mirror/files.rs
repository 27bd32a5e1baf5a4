//! The files beside the log: what is written whole and put in the place of what was there, and what is only appended.
//!
//! A file that is replaced is there as it was or as it shall be, whatever crashes. One that is appended to may have more
//! bytes than anybody has said that it has; whoever appends says how many hold, in a file that is replaced.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _};
use std::path::{Path, PathBuf};

const UNFINISHED: &str = "unfinished";

/// A directory of such files.
#[derive(Debug)]
pub(crate) struct Files {
    dir: PathBuf,
    #[cfg(test)]
    plan: std::sync::Mutex<Option<Plan>>,
}

/// Which durable step fails, and whether it is done before it does.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) step: u64,
    pub(crate) is_done: bool,
}

impl Files {
    /// Opens `dir`, making it for the owner alone if it is not there.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn open(dir: &Path) -> io::Result<Files> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        if let Some(parent) = dir.parent().filter(|parent| *parent != Path::new("")) {
            File::open(parent)?.sync_all()?;
        }
        Ok(Files {
            dir: dir.to_owned(),
            #[cfg(test)]
            plan: std::sync::Mutex::default(),
        })
    }

    /// The whole file; nothing if there is none.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match File::open(self.dir.join(name)) {
            Ok(mut file) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes)?;
                Ok(Some(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The names of all files; those that are no text are nobody's here.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    /// Fills `into` from offset `at` of a file.
    ///
    /// # Errors
    /// What the operating system says, also when the file is shorter.
    pub(crate) fn read_at(&self, name: &str, at: u64, into: &mut [u8]) -> io::Result<()> {
        File::open(self.dir.join(name))?.read_exact_at(into, at)
    }

    /// Writes the whole file and puts it in the place of what was there.
    ///
    /// # Errors
    /// What the operating system says; either of the two is there then.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let unfinished = self.dir.join(format!("{name}.{UNFINISHED}"));
        self.step(|| {
            let mut file = File::create(&unfinished)?;
            file.write_all(bytes)?;
            file.sync_all()
        })?;
        self.step(|| {
            fs::rename(&unfinished, self.dir.join(name))?;
            File::open(&self.dir)?.sync_all()
        })
    }

    /// Writes `bytes` at offset `at`. Not durable before [`Files::settle`].
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn extend(&self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.step(|| self.appended(name)?.write_all_at(bytes, at))
    }

    /// Cuts the file to `len` bytes, which it must have, and makes them durable.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn settle(&self, name: &str, len: u64) -> io::Result<()> {
        self.step(|| {
            let file = self.appended(name)?;
            if file.metadata()?.len() < len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            file.set_len(len)?;
            file.sync_all()?;
            File::open(&self.dir)?.sync_all()
        })
    }

    /// Removes the file, if it is there.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        self.step(|| match fs::remove_file(self.dir.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => File::open(&self.dir)?.sync_all(),
        })
    }

    fn appended(&self, name: &str) -> io::Result<File> {
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.dir.join(name))
    }

    #[cfg(not(test))]
    fn step(&self, step: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        step()
    }

    #[cfg(test)]
    fn step(&self, step: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut plan = self.plan.lock().unwrap();
        match &mut *plan {
            Some(Plan { step: 0, is_done }) => {
                if *is_done {
                    step()?;
                }
                Err(io::Error::other("injected"))
            }
            Some(plan) => {
                plan.step -= 1;
                step()
            }
            None => step(),
        }
    }

    /// Lets a durable step fail, and all after it: as a crash there would.
    #[cfg(test)]
    pub(crate) fn plan(&self, plan: Option<Plan>) {
        *self.plan.lock().unwrap() = plan;
    }
}
