//! Memory of requests: each message takes what its length says before its bytes come, or is refused.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tonic::Status;

use crate::server::Reason;

/// Bytes of the prefix of a message: one says whether it is compressed, four how long it is.
const PREFIX: usize = 5;

/// What all requests together may take.
#[derive(Debug)]
pub(crate) struct Budget {
    most: u64,
    used: AtomicU64,
}

impl Budget {
    pub(crate) fn new(most: u64) -> Arc<Self> {
        Arc::new(Budget { most, used: AtomicU64::new(0) })
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// What one call holds of the budget, until it ends.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    held: AtomicU64,
}

impl Share {
    pub(crate) fn of(budget: &Arc<Budget>) -> Arc<Self> {
        Arc::new(Share { budget: Arc::clone(budget), held: AtomicU64::new(0) })
    }

    /// Holds so many bytes in place of what was held before: a stream has one message at a time.
    fn hold(&self, bytes: u64) -> Result<(), Status> {
        let before = self.held.swap(0, Ordering::Relaxed);
        self.budget.used.fetch_sub(before, Ordering::Relaxed);
        let used = self.budget.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if used > self.budget.most {
            self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
            let message =
                format!("requests in memory take {} of {} bytes already", used - bytes, self.budget.most);
            return Err(Reason::Overloaded.retry_after(message, std::time::Duration::from_millis(100)));
        }
        self.held.store(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(*self.held.get_mut(), Ordering::Relaxed);
    }
}

/// The body of a request whose messages are counted.
#[derive(Debug)]
pub(crate) struct Counted {
    inner: Incoming,
    share: Arc<Share>,
    /// Bytes of one message.
    most: u64,
    prefix: [u8; PREFIX],
    n_prefix: usize,
    left: u64,
}

impl Counted {
    pub(crate) fn new(inner: Incoming, share: Arc<Share>, most: usize) -> Self {
        Counted { inner, share, most: most as u64, prefix: [0; PREFIX], n_prefix: 0, left: 0 }
    }

    /// Follows the messages through the bytes of a frame.
    fn follow(&mut self, mut bytes: &[u8]) -> Result<(), Status> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let n = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.left -= n as u64;
                bytes = &bytes[n..];
                continue;
            }
            self.prefix[self.n_prefix] = bytes[0];
            self.n_prefix += 1;
            bytes = &bytes[1..];
            if self.n_prefix == PREFIX {
                self.n_prefix = 0;
                let [_, a, b, c, d] = self.prefix;
                self.left = u64::from(u32::from_be_bytes([a, b, c, d]));
                if self.left > self.most {
                    let message =
                        format!("a message has {} bytes, at most {} are taken", self.left, self.most);
                    return Err(Reason::MessageTooLarge.status(message, &[]));
                }
                self.share.hold(self.left)?;
            }
        }
        Ok(())
    }
}

impl Body for Counted {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(Status::from_error(Box::new(error))))),
            Poll::Ready(Some(Ok(frame))) => {
                let followed = frame.data_ref().map_or(Ok(()), |bytes| {
                    // A handle to the same bytes.
                    let bytes = bytes.clone();
                    self.follow(&bytes)
                });
                Poll::Ready(Some(followed.map(|()| frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_comes_back_and_no_more_than_the_budget_is_held() {
        let budget = Budget::new(100);
        let (one, two) = (Share::of(&budget), Share::of(&budget));
        one.hold(60).unwrap();
        assert_eq!(two.hold(50).unwrap_err().code(), tonic::Code::Unavailable);
        two.hold(40).unwrap();
        assert_eq!(budget.used(), 100);
        one.hold(10).unwrap();
        assert_eq!(budget.used(), 50);
        drop((one, two));
        assert_eq!(budget.used(), 0);
    }
}
