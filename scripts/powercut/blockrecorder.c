// A disk in a file, as a FUSE mount, that remembers every write and every flush in the order in which they came.
//
//   blockrecorder IMAGE BYTES LOG MOUNTPOINT
//
// MOUNTPOINT/disk is the disk: a loop device on it makes a block device, whose cache flushes arrive as fsync.
// What is written to MOUNTPOINT/mark goes into the log between them. A record of the log: kind (1 byte: W write,
// Z zeros, F flush, M mark), offset (8), length (4), and for W and M that many bytes; little-endian.

#define FUSE_USE_VERSION 35
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <linux/falloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int image, record;
static off_t size;

// Requests are taken by one thread, so the log has the order in which they were answered.
static void append(char kind, uint64_t offset, uint32_t length, const void *bytes) {
    char head[13];
    head[0] = kind;
    memcpy(head + 1, &offset, 8);
    memcpy(head + 9, &length, 4);
    struct iovec parts[2] = {{head, sizeof head}, {(void *)bytes, bytes == NULL ? 0 : length}};
    ssize_t wanted = (ssize_t)(parts[0].iov_len + parts[1].iov_len);
    if (writev(record, parts, 2) != wanted) {
        perror("blockrecorder: log");
        _exit(1);
    }
}

static int is_disk(const char *path) { return strcmp(path, "/disk") == 0; }
static int is_mark(const char *path) { return strcmp(path, "/mark") == 0; }

static int get_attributes(const char *path, struct stat *status, struct fuse_file_info *info) {
    (void)info;
    memset(status, 0, sizeof *status);
    status->st_nlink = 1;
    if (strcmp(path, "/") == 0) {
        status->st_mode = S_IFDIR | 0700;
        return 0;
    }
    status->st_mode = S_IFREG | 0600;
    if (is_disk(path)) status->st_size = size;
    return is_disk(path) || is_mark(path) ? 0 : -ENOENT;
}

static int list(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *info,
                enum fuse_readdir_flags flags) {
    (void)path, (void)offset, (void)info, (void)flags;
    fill(buffer, "disk", NULL, 0, 0);
    fill(buffer, "mark", NULL, 0, 0);
    return 0;
}

static int open_file(const char *path, struct fuse_file_info *info) {
    // Past the page cache: what the device was told must be here at once, and nothing else.
    info->direct_io = 1;
    return is_disk(path) || is_mark(path) ? 0 : -ENOENT;
}

static int resize(const char *path, off_t length, struct fuse_file_info *info) {
    (void)length, (void)info;
    return is_mark(path) ? 0 : -EPERM;
}

static int read_bytes(const char *path, char *bytes, size_t count, off_t offset, struct fuse_file_info *info) {
    (void)info;
    if (!is_disk(path)) return 0;
    ssize_t done = pread(image, bytes, count, offset);
    return done < 0 ? -errno : (int)done;
}

static int write_bytes(const char *path, const char *bytes, size_t count, off_t offset, struct fuse_file_info *info) {
    (void)info;
    if (is_mark(path)) {
        append('M', 0, (uint32_t)count, bytes);
        return (int)count;
    }
    if (pwrite(image, bytes, count, offset) != (ssize_t)count) return -EIO;
    append('W', (uint64_t)offset, (uint32_t)count, bytes);
    return (int)count;
}

static int flush_cache(const char *path, int data_only, struct fuse_file_info *info) {
    (void)data_only, (void)info;
    if (is_disk(path)) append('F', 0, 0, NULL);
    return 0;
}

static int allocate(const char *path, int mode, off_t offset, off_t length, struct fuse_file_info *info) {
    (void)info;
    if (!is_disk(path) || !(mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))) return -EOPNOTSUPP;
    if (fallocate(image, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) != 0) return -errno;
    for (off_t at = offset; at < offset + length; at += 1 << 30) {
        off_t left = offset + length - at;
        append('Z', (uint64_t)at, (uint32_t)(left < 1 << 30 ? left : 1 << 30), NULL);
    }
    return 0;
}

static const struct fuse_operations operations = {
    .getattr = get_attributes, .readdir = list, .open = open_file, .truncate = resize, .read = read_bytes,
    .write = write_bytes, .fsync = flush_cache, .fallocate = allocate,
};

int main(int count, char **arguments) {
    if (count != 5) {
        fprintf(stderr, "usage: blockrecorder IMAGE BYTES LOG MOUNTPOINT\n");
        return 2;
    }
    size = atoll(arguments[2]);
    image = open(arguments[1], O_RDWR | O_CREAT, 0600);
    record = open(arguments[3], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    if (image < 0 || record < 0 || ftruncate(image, size) != 0) {
        perror("blockrecorder");
        return 1;
    }
    char *mount[] = {arguments[0], "-f", "-s", arguments[4], NULL};
    return fuse_main(4, mount, &operations, NULL);
}
