#pragma once

/// Records what a process does to the files below one directory, for a replay of power cuts.
///
/// A program that is linked with this has these definitions of `pwrite`, `renameat2` and so on in place of the C
/// library's, and so have the libraries it loads. One record each is appended to a log, in the order in which the
/// kernel did them. What the C library calls inside itself does not pass here, nor does a write to a mapping.
///
/// A record: its length after itself (u32), kind (u8), five numbers (u64), two strings (u32 length and bytes each);
/// all little-endian.

enum firn_record {
    /// string: what the program says at this moment
    FIRN_RECORD_MARK = 1,
    /// inode of the directory (0: without a name), inode, st_mode, st_rdev, uid << 32 | gid; name, symlink's target
    FIRN_RECORD_CREATE,
    /// directory, inode; name
    FIRN_RECORD_LINK,
    /// directory; name
    FIRN_RECORD_UNLINK,
    /// directory, new directory, flags of renameat2, inode of the whiteout; name, new name
    FIRN_RECORD_RENAME,
    /// inode, offset; bytes
    FIRN_RECORD_WRITE,
    /// inode, size
    FIRN_RECORD_TRUNCATE,
    /// inode, offset, length: zeros within the file
    FIRN_RECORD_ZERO,
    /// inode, permissions
    FIRN_RECORD_MODE,
    /// inode, uid, gid
    FIRN_RECORD_OWNER,
    /// inode, seconds and nanoseconds of the modification time
    FIRN_RECORD_TIMES,
    /// inode; name, value
    FIRN_RECORD_SET_ATTRIBUTE,
    /// inode; name
    FIRN_RECORD_REMOVE_ATTRIBUTE,
    /// inode, 1 for fdatasync
    FIRN_RECORD_SYNC,
    FIRN_RECORD_SYNC_ALL,
    /// inode of the directory that is recorded: the first record
    FIRN_RECORD_TOP,
};

/// Begins. `directory` is an absolute path without symlinks. Returns 0, or -1 with errno.
int firn_recorder_start(const char *directory, const char *log);

/// Records that everything before has happened, from the program's point of view.
void firn_recorder_mark(const char *text);
