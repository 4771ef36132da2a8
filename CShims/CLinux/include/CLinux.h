// System calls that Swift's Glibc module lacks, each as one plain function. They keep the C convention: -1 and
// errno on failure. No feature-test macro may be defined here: Swift imports this header. Nor may a
// system header with types be included: Swift would think them this module's own.
#ifndef FIRN_CLINUX_H
#define FIRN_CLINUX_H

#include <stddef.h>
#include <stdint.h>

enum {
    FIRN_RENAME_NOREPLACE = 1 << 0,
    FIRN_RENAME_EXCHANGE = 1 << 1,
    FIRN_RENAME_WHITEOUT = 1 << 2,
};

// man 2 renameat2
int firn_renameat2(int old_directory, const char *old_path, int new_directory, const char *new_path,
                   unsigned int flags);
// man 2 openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS: a path that leaves the directory is EXDEV, one with a
// symlink in it ELOOP. With AT_FDCWD it is man 2 openat.
int firn_openat(int directory, const char *path, int flags, unsigned int mode);
// The same by one openat for each name, for kernels without openat2 (before 5.6).
int firn_open_by_names(int directory, const char *path, int flags, unsigned int mode);
// An O_PATH descriptor of the directory that the first bytes of a path name.
int firn_open_parent(int directory, const char *path, size_t length);
// man 2 pidfd_open, man 2 poll: waits until a process has ended with all its threads, or for so many milliseconds. 0, or
// -1 with ETIMEDOUT, or another error.
int firn_wait_for_end(int process_descriptor, int milliseconds);
int firn_pidfd_open(int process);
// man 2 syncfs
int firn_syncfs(int fd);
// man 2 ioctl_ficlone: the whole of source becomes the whole of target, sharing its blocks.
int firn_clone(int target, int source);
// man 2 copy_file_range
long firn_copy_file_range(int source, long *source_offset, int target, long *target_offset,
                             size_t length);
// man 2 fallocate
int firn_fallocate(int fd, int mode, long offset, long length);
// man 2 lseek with SEEK_DATA and SEEK_HOLE
long firn_seek_data(int fd, long offset);
long firn_seek_hole(int fd, long offset);
// man 2 sync_file_range: asks for write-back to begin and does not wait for it.
int firn_start_writeback(int fd);
// man 2 sync_file_range: fails where writing back has failed since fd was opened or last told so; writes nothing.
int firn_writeback_error(int fd);
// man 3 malloc_trim
void firn_release_memory(void);
// man 2 setpriority, man 2 ioprio_set: the calling thread runs and reads when no other wants to.
void firn_yield_to_others(void);
// man 2 preadv2 with RWF_DONTCACHE (Linux 6.14): pages that had to be read are not kept. pread where there is no such thing.
long firn_read_uncached(int fd, void *buffer, size_t size, long offset);
// man 2 posix_fadvise, POSIX_FADV_SEQUENTIAL
int firn_advise_sequential(int fd);

// man 2 getxattr and its kin, with a directory to begin at; none follows a symlink at the path's end. The kernel has
// such calls from 6.13 on; before, the directory's name in /proc goes in front.
long firn_getxattrat(int directory, const char *path, const char *name, void *value, size_t size);
int firn_setxattrat(int directory, const char *path, const char *name, const void *value, size_t size, int flags);
long firn_listxattrat(int directory, const char *path, char *names, size_t size);
int firn_removexattrat(int directory, const char *path, const char *name);
long firn_fgetxattr(int fd, const char *name, void *value, size_t size);
int firn_fsetxattr(int fd, const char *name, const void *value, size_t size, int flags);
long firn_flistxattr(int fd, char *names, size_t size);
int firn_fremovexattr(int fd, const char *name);

// man 2 statx, STATX_BTIME, of a name in a directory (symlinks are not followed) or, with an empty path, of what the
// descriptor has open. Returns 1, or 0 where the filesystem keeps no time of birth.
int firn_birth_time(int directory, const char *path, int64_t *seconds, int64_t *nanoseconds);

// man 2 ioctl_iflags: sets those of the flags that mask has, and leaves the others as they are.
int firn_change_flags(int fd, uint32_t flags, uint32_t mask);

// man 2 umount2; detach is MNT_DETACH.
int firn_unmount(const char *path, int detach);
// The same with MNT_FORCE: a FUSE connection ends, also where the mount is in use and stays.
int firn_abort_mount(const char *path);
// Blocks SIGTERM, SIGINT and SIGHUP, and no other signal, for every thread made afterwards; ignores SIGPIPE and
// SIGIO.
int firn_block_termination(void);
// Waits for one of the blocked signals and returns its number.
int firn_wait_termination(void);
// Lifts the soft limit on open files to the hard one; returns the limit that holds then.
uint64_t firn_raise_descriptor_limit(void);
// man 2 statfs, f_type
long firn_filesystem_type(int fd);
// Starts a program in a session of its own; descriptors[i] becomes descriptor i of it, all others are closed.
// Returns the process's id.
int firn_spawn_detached(const char *program, char *const *arguments, const int *descriptors, int count);
// The same in this session, as a child to be waited for.
int firn_spawn_child(const char *program, char *const *arguments, const int *descriptors, int count);
// man 2 memfd_create, with close-on-exec.
int firn_memory_file(const char *name);
// man 2 mmap: shared, readable and writable, no swap reserved. NULL and errno on failure.
void *firn_map_shared(int fd, size_t length);
void firn_unmap(void *memory, size_t length);
// Gives back the memory or blocks of a range, which reads as zeros from then on. man 2 fallocate, PUNCH_HOLE
int firn_punch_hole(int fd, long offset, long length);
// Makes everything this thread wrote before seen before `value` is.
void firn_publish(uint64_t *place, uint64_t value);
// man 3 cmsg, SCM_RIGHTS: hands open files to the process at the other end of a Unix socket.
int firn_send_descriptors(int socket, const int *descriptors, int count);
// Waits for `count` of them. Returns how many came: 0 when the other end was closed before.
int firn_receive_descriptors(int socket, int *descriptors, int count);
// Terminal width in columns, 0 if fd is no terminal.
int firn_terminal_columns(int fd);
// Credentials of a connected Unix socket's peer, SO_PEERCRED.
int firn_peer_credentials(int fd, int *pid, uint32_t *uid, uint32_t *gid);
// man 3 cmsg: sends bytes with a descriptor beside them, SCM_RIGHTS. A peer that is gone is EPIPE, no signal.
long firn_send_descriptor(int socket, const void *bytes, size_t count, int descriptor);
// Receives bytes; *descriptor is set if one came beside them. Of several the first counts.
long firn_receive(int socket, void *bytes, size_t count, int *descriptor);

// Values that are macros with casts, or hidden behind feature tests, in C's headers.
extern const int firn_O_PATH;
extern const int firn_O_TMPFILE;
extern const int firn_AT_EMPTY_PATH;
extern const int firn_AT_SYMLINK_FOLLOW;
extern const long firn_UTIME_OMIT;
extern const long firn_UTIME_NOW;
extern const int firn_SEEK_DATA;
extern const int firn_SEEK_HOLE;

#endif
