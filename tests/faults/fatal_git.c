/* Loaded into git (LD_PRELOAD): kills it, with all of its process group, at its n-th change of the
 * file system; a write that is the n-th is torn in half. FATAL_GIT is "<subcommand>:<n>", FATAL_TOO
 * the pid of a process that dies with it. With FATAL_COUNT, a file, each git says there how many
 * changes it made. Other programs than git are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char subcommand[32];
static long count, fatal;

__attribute__((constructor)) static void find_out(void)
{
    char line[4096], *order = getenv("FATAL_GIT");
    FILE *file = fopen("/proc/self/cmdline", "re");
    size_t size = file ? fread(line, 1, sizeof line - 1, file) : 0;
    if (file)
        fclose(file);
    line[size] = 0;
    const char *program = strrchr(line, '/') ? strrchr(line, '/') + 1 : line;
    if (strcmp(program, "git") != 0)
        return;
    for (const char *word = line + strlen(line) + 1; word < line + size; word += strlen(word) + 1) {
        if (strcmp(word, "-c") == 0)
            word += strlen(word) + 1;
        else if (*word != '-') {
            snprintf(subcommand, sizeof subcommand, "%s", word);
            break;
        }
    }
    if (order && strncmp(order, subcommand, strlen(subcommand)) == 0 &&
        order[strlen(subcommand)] == ':')
        fatal = atol(order + strlen(subcommand) + 1);
}

__attribute__((destructor)) static void tell(void)
{
    const char *name = getenv("FATAL_COUNT");
    char line[64];
    int descriptor = name && *subcommand ? open(name, O_WRONLY | O_APPEND) : -1;
    if (descriptor >= 0) {
        int size = snprintf(line, sizeof line, "%s %ld\n", subcommand, count);
        fatal = 0;
        if (write(descriptor, line, (size_t)size) != size)
            abort();
        close(descriptor);
    }
}

static int is_fatal(void)
{
    return *subcommand && ++count == fatal;
}

static void die(void)
{
    const char *too = getenv("FATAL_TOO");
    if (too)
        kill((pid_t)atol(too), SIGKILL);
    kill(0, SIGKILL);
    pause();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CHANGES(name, parameters, arguments)                                                       \
    int name parameters                                                                            \
    {                                                                                              \
        if (is_fatal())                                                                            \
            die();                                                                                 \
        return REAL(name) arguments;                                                               \
    }

CHANGES(rename, (const char *from, const char *to), (from, to))
CHANGES(link, (const char *from, const char *to), (from, to))
CHANGES(symlink, (const char *from, const char *to), (from, to))
CHANGES(unlink, (const char *path), (path))
CHANGES(rmdir, (const char *path), (path))
CHANGES(mkdir, (const char *path, mode_t mode), (path, mode))

#define OPENS(name)                                                                                \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        mode_t mode = 0;                                                                           \
        if (flags & O_CREAT) {                                                                     \
            va_list more;                                                                          \
            va_start(more, flags);                                                                 \
            mode = va_arg(more, mode_t);                                                           \
            va_end(more);                                                                          \
            if (is_fatal())                                                                        \
                die();                                                                             \
        }                                                                                          \
        return REAL(name)(path, flags, mode);                                                      \
    }

OPENS(open)
OPENS(open64)

ssize_t write(int descriptor, const void *data, size_t size)
{
    struct stat status;
    int is_file = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
    if (is_file && is_fatal()) {
        if (REAL(write)(descriptor, data, size / 2) < 0)
            abort();
        die();
    }
    return REAL(write)(descriptor, data, size);
}
