//! Memory of frames, used again. A journal under load makes and forgets a few thousand frames a second, and memory that
//! is fresh from the system costs more than all that is written into it.

/// Smallest length of a buffer, in bytes; lengths double from there on, so that a frame that is forgotten leaves what
/// the next one of about its size can use, and none holds twice what it needs.
const SMALLEST: usize = 512;
/// Most bytes that wait to be used again.
const WAITING_MAX: usize = 4 << 20;

/// Buffers that wait to be used again.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    waiting: Vec<Vec<u8>>,
    bytes: usize,
}

impl Buffers {
    /// An empty buffer with room for so many bytes.
    pub(crate) fn take(&mut self, len: usize) -> Vec<u8> {
        let wanted = capacity(len);
        let found = self
            .waiting
            .iter()
            .rposition(|buffer| buffer.capacity() == wanted);
        match found {
            Some(at) => {
                self.bytes -= wanted;
                self.waiting.swap_remove(at)
            }
            None => Vec::with_capacity(wanted),
        }
    }

    /// Takes a buffer back, unless enough of them wait or it is none of ours.
    pub(crate) fn give(&mut self, mut buffer: Vec<u8>) {
        let bytes = buffer.capacity();
        if bytes == 0 || bytes != capacity(bytes) || bytes > WAITING_MAX {
            return;
        }
        buffer.clear();
        self.waiting.push(buffer);
        self.bytes += bytes;
        // The oldest go first: sizes that are no longer asked for leave in the end.
        while self.bytes > WAITING_MAX {
            self.bytes -= self.waiting.remove(0).capacity();
        }
    }
}

fn capacity(len: usize) -> usize {
    len.max(SMALLEST).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_by_its_like_only() {
        let mut buffers = Buffers::default();
        let mut one = buffers.take(5_000);
        assert_eq!((one.len(), one.capacity()), (0, 8_192));
        one.push(1);
        let memory = one.as_ptr();
        buffers.give(one);
        let (smaller, larger) = (buffers.take(4_096), buffers.take(8_193));
        assert_ne!(smaller.as_ptr(), memory);
        assert_ne!(larger.as_ptr(), memory);
        let again = buffers.take(4_097);
        assert_eq!((again.len(), again.as_ptr()), (0, memory));
    }

    #[test]
    fn what_waits_is_bounded_and_a_stranger_is_not_kept() {
        let mut buffers = Buffers::default();
        buffers.give(Vec::new());
        buffers.give(Vec::with_capacity(5_000));
        buffers.give(Vec::with_capacity(2 * WAITING_MAX));
        assert_eq!((buffers.waiting.len(), buffers.bytes), (0, 0));
        for _ in 0..WAITING_MAX / SMALLEST {
            buffers.give(Vec::with_capacity(SMALLEST));
        }
        for _ in 0..10 {
            buffers.give(Vec::with_capacity(8 * SMALLEST));
            assert!(buffers.bytes <= WAITING_MAX);
        }
        let bytes: usize = buffers.waiting.iter().map(Vec::capacity).sum();
        assert_eq!(bytes, buffers.bytes);
        assert_eq!(buffers.take(8 * SMALLEST).capacity(), 8 * SMALLEST);
    }
}
