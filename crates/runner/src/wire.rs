//! Packets with descriptors over a SEQPACKET socket, and large plans in sealed memory files.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::protocol::LARGEST_PLAN;

/// The largest packet in bytes: below the smallest usual send buffer, which a packet must fit.
pub(crate) const LARGEST_PACKET: usize = 64 << 10;
/// A plan larger than this travels in a memory file.
pub(crate) const LARGEST_INLINE: usize = 60 << 10;
/// Most descriptors that one packet carries.
const MOST_FDS: usize = 3;
/// The longest path that fits a socket's address, with its final NUL.
const LONGEST_ADDRESS: usize = 107;

/// A message as bytes. It fails only for a message that cannot be, so the error has no detail.
pub(crate) fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    postcard::to_stdvec(message).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// A message from bytes.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    postcard::from_bytes(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Sends one packet; it is sent whole or not at all.
pub(crate) fn send(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    rustix::net::sendmsg(
        socket,
        &[IoSlice::new(bytes)],
        &mut control,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// A packet that was received.
#[derive(Debug)]
pub struct Received {
    /// In bytes; 0 when the other side has closed.
    pub length: usize,
    /// What came with it.
    pub fds: Vec<OwnedFd>,
    /// More descriptors were sent: this process may have no more.
    pub lacks_fds: bool,
}

/// Receives one packet into `buffer`.
pub(crate) fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Received> {
    match receive_once(&socket, buffer) {
        // Said once when the other side closed without reading everything; what it had sent before
        // that is still to come.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
            receive_once(&socket, buffer)
        }
        received => received,
    }
}

fn receive_once(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Received> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::net::recvmsg(
        socket,
        &mut [IoSliceMut::new(buffer)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    // A packet that was cut says something else than what was sent.
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(Received {
        length: received.bytes,
        fds,
        lacks_fds: received.flags.contains(ReturnFlags::CTRUNC),
    })
}

/// The bytes in a memory file that nobody can change any more.
pub(crate) fn seal(bytes: &[u8]) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know NOEXEC_SEAL; without it the file is merely executable.
    let file = rustix::fs::memfd_create(c"stagedoor", flags | MemfdFlags::NOEXEC_SEAL)
        .or_else(|_| rustix::fs::memfd_create(c"stagedoor", flags))?;
    let mut rest = bytes;
    while !rest.is_empty() {
        let written = rustix::io::write(&file, rest)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    rustix::fs::fcntl_add_seals(
        &file,
        SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW,
    )?;
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0))?;
    Ok(file)
}

/// Reads what [`seal`] wrote. Only a sealed file is read: it can neither change nor block.
pub(crate) fn unseal(file: &OwnedFd, bytes: u64) -> io::Result<Vec<u8>> {
    let wanted = SealFlags::WRITE | SealFlags::SHRINK;
    let length = usize::try_from(bytes).unwrap_or(usize::MAX);
    if length > LARGEST_PLAN || !rustix::fs::fcntl_get_seals(file)?.contains(wanted) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut content = vec![0; length];
    let mut done = 0;
    while let Some(rest) = content.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match rustix::io::pread(file, rest, done as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => done += read,
        }
    }
    Ok(content)
}

/// The address of a socket at this path, and the opened folder that it needs to stay valid: a path
/// too long for an address is reached through its folder's descriptor.
pub(crate) fn address(path: &Path) -> io::Result<(SocketAddrUnix, Option<OwnedFd>)> {
    if path.as_os_str().len() <= LONGEST_ADDRESS {
        return Ok((SocketAddrUnix::new(path)?, None));
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let folder = rustix::fs::open(
        folder,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&folder);
    let short = Path::new("/proc/self/fd")
        .join(number.to_string())
        .join(name);
    Ok((SocketAddrUnix::new(&short)?, Some(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_file_reads_as_it_was_written_and_cannot_be_changed() {
        let content = vec![7; 500 << 10];
        let file = seal(&content).expect("a memory file");
        assert_eq!(
            unseal(&file, content.len() as u64).expect("sealed"),
            content
        );
        assert!(rustix::io::write(&file, b"x").is_err());
        assert!(
            unseal(&file, content.len() as u64 + 1).is_err(),
            "shorter than announced"
        );
    }

    #[test]
    fn a_file_without_seals_is_not_read() {
        let file = rustix::fs::memfd_create(c"x", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
            .expect("a memory file");
        rustix::io::write(&file, b"abc").expect("written");
        assert!(unseal(&file, 3).is_err());
        let (pipe, _) = rustix::pipe::pipe().expect("a pipe");
        assert!(unseal(&pipe, 3).is_err());
    }

    #[test]
    fn a_path_too_long_for_an_address_still_has_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("d".repeat(60)).join("e".repeat(60));
        std::fs::create_dir_all(&deep).expect("folders");
        assert!(address(&deep.join("runner.sock")).is_ok());
        assert!(address(&folder.path().join("runner.sock")).is_ok());
    }
}
