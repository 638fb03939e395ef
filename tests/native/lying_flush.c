/* A disk that answers a flush without doing it, while the file "lying" lies beside the data directory that a
   PostgreSQL process works in. Each lie leaves a byte in "lied". For tests only. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

static int lie(void) {
  if (access("../lying", F_OK) != 0) return 0;
  int fd = open("../lied", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd >= 0) {
    if (write(fd, ".", 1) != 1) _exit(9);
    close(fd);
  }
  return 1;
}

int fsync(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fsync");
  return lie() ? 0 : real(fd);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
  return lie() ? 0 : real(fd);
}
