//! A disk in memory that fails as disks do, on demand.
//!
//! [`Disk`] is what survives; [`FaultyStore`] is one opening of it. A plan says which durable step fails and how, and
//! which part of the bytes in flight survives. After a failure the store is dead, as after a crash: tests open the disk
//! again.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Segment, Store, StoreError};

/// Bytes that a disk writes in one piece.
pub(crate) const SECTOR: usize = 512;

/// What survives crashes. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<Surface>>);

#[derive(Clone, Debug, Default)]
struct Surface {
    segments: BTreeMap<u64, Vec<u8>>,
    /// Bytes that the disk holds at most; zero means no limit.
    capacity: u64,
    /// Durable steps done since the plan was set.
    steps: u64,
    plan: Option<(u64, Fault)>,
    /// What lies under a write that only reached the page cache: segment, offset, the bytes on the disk.
    under_cache: Option<(u64, usize, Vec<u8>)>,
}

/// How one durable step fails.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Nothing of it survives.
    Before,
    /// All of it survives, but the caller hears of an error.
    AfterPersisting,
    /// All of it is seen by readers until the power fails, and the caller hears of an error.
    Cached,
    /// Nothing of it survives: the disk has no room.
    Full,
    /// The first so many bytes survive.
    Torn(usize),
    /// The sectors whose bit is set survive; those after the last bit do not.
    Sectors(Vec<bool>),
}

impl Disk {
    /// Opens the disk.
    pub(crate) fn store(&self) -> FaultyStore {
        FaultyStore {
            disk: self.clone(),
            dead: Mutex::new(false),
        }
    }

    /// Lets durable step number `step` from now on, from 0, fail.
    pub(crate) fn plan(&self, step: u64, fault: Fault) {
        let mut surface = self.lock();
        surface.steps = 0;
        surface.plan = Some((step, fault));
    }

    /// Durable steps since the last plan, or since the beginning.
    pub(crate) fn steps(&self) -> u64 {
        self.lock().steps
    }

    /// What was only in the page cache is gone.
    pub(crate) fn lose_power(&self) {
        let mut surface = self.lock();
        if let Some((id, offset, bytes)) = surface.under_cache.take() {
            let segment = surface.segments.get_mut(&id).expect("the segment exists");
            segment[offset..offset + bytes.len()].copy_from_slice(&bytes);
        }
    }

    pub(crate) fn limit(&self, capacity: u64) {
        self.lock().capacity = capacity;
    }

    pub(crate) fn segments(&self) -> BTreeMap<u64, Vec<u8>> {
        self.lock().segments.clone()
    }

    pub(crate) fn replace(&self, segments: BTreeMap<u64, Vec<u8>>) {
        self.lock().segments = segments;
    }

    fn lock(&self) -> MutexGuard<'_, Surface> {
        self.0.lock().unwrap()
    }
}

/// One opening of a disk.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    disk: Disk,
    dead: Mutex<bool>,
}

impl FaultyStore {
    /// Counts a durable step, and gives its fault if it has one.
    fn step(&self, surface: &mut Surface) -> Result<Option<Fault>, StoreError> {
        if *self.dead.lock().unwrap() {
            return Err(failed("write"));
        }
        let step = surface.steps;
        surface.steps += 1;
        let fault = match &surface.plan {
            Some((at, fault)) if *at == step => Some(fault.clone()),
            _ => None,
        };
        if fault.is_some() {
            *self.dead.lock().unwrap() = true;
            surface.plan = None;
        }
        Ok(fault)
    }
}

fn failed(doing: &'static str) -> StoreError {
    StoreError::Io {
        doing,
        source: io::Error::other("injected"),
    }
}

fn full(doing: &'static str) -> StoreError {
    StoreError::Io {
        doing,
        source: io::ErrorKind::StorageFull.into(),
    }
}

impl Store for FaultyStore {
    fn segments(&self) -> Result<Vec<Segment>, StoreError> {
        let surface = self.disk.lock();
        let segments = surface.segments.iter();
        Ok(segments
            .map(|(id, bytes)| Segment {
                id: *id,
                len: bytes.len() as u64,
            })
            .collect())
    }

    fn create(&self, id: u64, len: u64, head: &[u8]) -> Result<(), StoreError> {
        let mut surface = self.disk.lock();
        let fault = self.step(&mut surface)?;
        let used: u64 = surface
            .segments
            .values()
            .map(|bytes| bytes.len() as u64)
            .sum();
        if surface.capacity > 0 && used + len > surface.capacity {
            *self.dead.lock().unwrap() = true;
            return Err(failed("extend"));
        }
        // Creation is atomic: of a fault only whether it came before or after matters.
        if matches!(fault, None | Some(Fault::AfterPersisting | Fault::Cached)) {
            assert!(
                !surface.segments.contains_key(&id),
                "a segment is made once"
            );
            let mut bytes = head.to_vec();
            bytes.resize(usize::try_from(len).unwrap(), 0);
            surface.segments.insert(id, bytes);
        }
        match fault {
            None => Ok(()),
            Some(Fault::Full) => Err(full("extend")),
            Some(_) => Err(failed("extend")),
        }
    }

    fn write(&self, id: u64, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let mut surface = self.disk.lock();
        let fault = self.step(&mut surface)?;
        let offset = usize::try_from(offset).unwrap();
        let segment = surface.segments.get_mut(&id).expect("the segment exists");
        let target = &mut segment[offset..offset + bytes.len()];
        let Some(fault) = fault else {
            target.copy_from_slice(bytes);
            let covers = |cached: &(u64, usize, Vec<u8>)| {
                cached.0 == id
                    && offset <= cached.1
                    && cached.1 + cached.2.len() <= offset + bytes.len()
            };
            if surface.under_cache.as_ref().is_some_and(covers) {
                surface.under_cache = None;
            }
            return Ok(());
        };
        match fault {
            Fault::Before => {}
            Fault::Full => return Err(full("write")),
            Fault::AfterPersisting => target.copy_from_slice(bytes),
            Fault::Cached => {
                surface.under_cache = Some((id, offset, target.to_vec()));
                let segment = surface.segments.get_mut(&id).expect("the segment exists");
                segment[offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            Fault::Torn(len) => {
                let len = len.min(bytes.len());
                target[..len].copy_from_slice(&bytes[..len]);
            }
            Fault::Sectors(survive) => {
                let sectors = target.chunks_mut(SECTOR).zip(bytes.chunks(SECTOR));
                for ((target, bytes), _) in sectors.zip(survive).filter(|(_, survives)| *survives) {
                    target.copy_from_slice(bytes);
                }
            }
        }
        Err(failed("sync"))
    }

    fn remove(&self, id: u64) -> Result<(), StoreError> {
        let mut surface = self.disk.lock();
        let fault = self.step(&mut surface)?;
        // Removal is atomic: of a fault only whether it came before or after matters.
        if matches!(fault, None | Some(Fault::AfterPersisting | Fault::Cached)) {
            let removed = surface.segments.remove(&id);
            assert!(removed.is_some(), "a segment is removed once");
        }
        match fault {
            None => Ok(()),
            Some(_) => Err(failed("remove")),
        }
    }

    fn read(&self, id: u64, offset: u64, into: &mut [u8]) -> Result<(), StoreError> {
        let surface = self.disk.lock();
        let offset = usize::try_from(offset).unwrap();
        let bytes = surface
            .segments
            .get(&id)
            .and_then(|segment| segment.get(offset..offset + into.len()));
        into.copy_from_slice(bytes.ok_or_else(|| failed("read"))?);
        Ok(())
    }
}
