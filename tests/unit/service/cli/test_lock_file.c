/* SPDX-License-Identifier: MIT */
/* lock: what others do to its file: remove it, replace it, put a link in its place. */
#include <errno.h>
#include <sys/stat.h>

#include "faults/fault.h"
#include "unit/service/cli/lock_fixture.h"

static void refuses_a_symbolic_link(void **state)
{
    struct fixture *f = *state;
    struct lock lock;
    pid_t pid;

    assert_int_equal(symlink("/tmp/elsewhere", f->path), 0);
    assert_int_equal(lock_acquire(f->path, &lock, &pid), -ELOOP);
    assert_int_equal(lock.directory_fd, -1); /* nothing that a release would close again */
    assert_int_equal(lock.file_fd, -1);
    assert_int_equal(lock_holder(f->path, &pid), -ELOOP);
}

static void nobody_holds_the_lock_of_a_directory_that_is_not_there(void **state)
{
    struct fixture *f = *state;
    char path[128];
    pid_t pid = 7;

    snprintf(path, sizeof(path), "%s/none/lock", f->directory);
    assert_int_equal(lock_holder(path, &pid), 0);
    assert_int_equal(pid, 0);
}

/* A cleaner of temporary files removes the file of a holder that lives. */
static void a_removed_file_frees_nothing(void **state)
{
    struct fixture *f = *state;
    struct holder holder = start_holder(f);
    struct lock lock;
    pid_t pid;

    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(lock_holder(f->path, &pid), 0);
    assert_int_equal(pid, LOCK_HOLDER_UNKNOWN);
    assert_int_equal(lock_acquire(f->path, &lock, &pid), -EAGAIN);
    assert_int_equal(pid, LOCK_HOLDER_UNKNOWN);
    end_holder(&holder, 0);
    assert_int_equal(lock_acquire(f->path, &lock, &pid), 0);
    lock_release(&lock);
}

static void the_holder_makes_a_removed_file_anew(void **state)
{
    struct fixture *f = *state;
    struct lock lock;
    pid_t pid;

    assert_int_equal(lock_acquire(f->path, &lock, &pid), 0);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(lock_restore(&lock), 0);
    assert_int_equal(access(f->path, F_OK), 0);
    assert_int_equal(lock_restore(&lock), 0);
    lock_release(&lock);
    assert_int_equal(access(f->path, F_OK), -1);
}

static void a_directory_that_took_the_name_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct lock lock;
    char moved[96];
    pid_t pid;

    snprintf(moved, sizeof(moved), "%s.moved", f->directory);
    assert_int_equal(lock_acquire(f->path, &lock, &pid), 0);
    assert_int_equal(rename(f->directory, moved), 0);
    assert_int_equal(lock_restore(&lock), -ESTALE);
    assert_int_equal(mkdir(f->directory, 0700), 0);
    assert_int_equal(lock_restore(&lock), -ESTALE);
    assert_int_equal(access(f->path, F_OK), -1);
    assert_int_equal(rmdir(f->directory), 0);
    assert_int_equal(rename(moved, f->directory), 0);
    assert_int_equal(lock_restore(&lock), 0);
    lock_release(&lock);
}

static void release_spares_a_file_of_somebody_else(void **state)
{
    struct fixture *f = *state;
    struct lock lock;
    pid_t pid;
    int fd;

    assert_int_equal(lock_acquire(f->path, &lock, &pid), 0);
    assert_int_equal(unlink(f->path), 0);
    fd = open(f->path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    lock_release(&lock);
    assert_int_equal(access(f->path, F_OK), 0);
    close(fd);
}

/* The lock of a file that was removed meanwhile is no lock: many processes take and release it as
 * fast as they can, and at no time two of them may be inside. */
static void contend(const struct fixture *f, const char *inside)
{
    struct lock lock;
    pid_t pid;

    for (int i = 0; i < 2000; i++) {
        int rc = lock_acquire(f->path, &lock, &pid);
        if (rc == -EAGAIN)
            continue;
        if (rc < 0)
            _exit(1);
        const int alone = open(inside, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        if (alone < 0)
            _exit(2);
        close(alone);
        unlink(inside);
        lock_release(&lock);
    }
    _exit(0);
}

static void two_never_hold_it(void **state)
{
    struct fixture *f = *state;
    pid_t children[3];
    char inside[128];

    snprintf(inside, sizeof(inside), "%s/inside", f->directory);
    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        if (children[i] == 0)
            contend(f, inside);
    }
    for (int i = 0; i < 3; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
}

/* What cannot be opened, asked or locked is an error of its own, and nothing stays open. */
static void an_error_of_the_file_is_told_and_leaves_nothing(void **state)
{
    static const struct {
        const char *call;
        uint64_t n;
        int error, rc;
    } faults[] = {{"open", 1, EMFILE, -EMFILE}, /* of the directory, */
                  {"open", 2, EMFILE, -EMFILE}, /* and of the file */
                  {"fcntl", 1, ENOLCK, -ENOLCK},
                  {"fcntl", 1, EACCES, -EAGAIN}};
    struct fixture *f = *state;
    struct lock lock;
    pid_t holder;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        uint32_t descriptors = fault_open_descriptors();
        fault_arm_call(faults[i].call, faults[i].n, faults[i].error);
        int rc = lock_acquire(f->path, &lock, &holder);
        fault_disarm();
        assert_int_equal(rc, faults[i].rc);
        assert_int_equal(fault_open_descriptors(), descriptors);
    }
    assert_int_equal(lock_acquire(f->path, &lock, &holder), 0); /* nobody holds it */
    lock_release(&lock);
}

static void a_path_without_a_directory_is_no_lock(void **state)
{
    struct lock lock;
    pid_t holder;
    (void)state;
    assert_int_equal(lock_acquire("lock", &lock, &holder), -EINVAL);
}

/* Network file systems: the file's own lock has to do. */
static void without_locks_of_directories_the_file_is_locked(void **state)
{
    struct fixture *f = *state;
    struct lock lock;
    pid_t holder = 0;
    fault_arm_call("flock", 0, EOPNOTSUPP);
    assert_int_equal(lock_acquire(f->path, &lock, &holder), 0);
    fault_disarm();
    pid_t child = fork();
    if (child == 0) {
        struct lock other;
        fault_arm_call("flock", 0, EOPNOTSUPP);
        _exit(lock_acquire(f->path, &other, &holder) == -EAGAIN && holder == LOCK_HOLDER_UNKNOWN
                  ? 0
                  : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    lock_release(&lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refuses_a_symbolic_link, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_holds_the_lock_of_a_directory_that_is_not_there,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_removed_file_frees_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(the_holder_makes_a_removed_file_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directory_that_took_the_name_is_left_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(release_spares_a_file_of_somebody_else, setup, teardown),
        cmocka_unit_test_setup_teardown(two_never_hold_it, setup, teardown),
        cmocka_unit_test_setup_teardown(an_error_of_the_file_is_told_and_leaves_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_path_without_a_directory_is_no_lock, setup, teardown),
        cmocka_unit_test_setup_teardown(without_locks_of_directories_the_file_is_locked, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
