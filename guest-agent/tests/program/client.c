/* A client that greets, waits for an answer with select(2) and reads to the end: client MODE ADDRESS PORT. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *mode, *address;
static int port;

static int is(const char *name) { return strcmp(mode, name) == 0; }

static void nothing(int signal) { (void)signal; }

/* Leaves ENOENT behind, as a time stamp does where there is no /etc/localtime. */
static void stamp(void) { (void)!open("/nonexistent/stamp", O_RDONLY); }

static int state_of(int fd) {
    struct tcp_info about;
    socklen_t length = sizeof about;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &about, &length) == 0 ? about.tcpi_state : -1;
}

static int wait_for(int fd) {
    if (is("poll")) {
        struct pollfd one = {fd, POLLIN, 0};
        return poll(&one, 1, 5000);
    }
    if (is("epoll")) {
        int set = epoll_create1(EPOLL_CLOEXEC);
        struct epoll_event one = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(set, EPOLL_CTL_ADD, fd, &one);
        return epoll_wait(set, &one, 1, 5000);
    }
    fd_set set;
    struct timeval timeout = {5, 0};
    FD_ZERO(&set);
    FD_SET(fd, &set);
    return select(fd + 1, &set, NULL, NULL, &timeout);
}

static void *talk(void *unused) {
    (void)unused;
    char buffer[64];
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, address, &peer.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&peer, sizeof peer) != 0) {
        printf("connect: %s\n", strerror(errno));
        exit(2);
    }
    (void)!write(fd, "hello", 5);
    if (is("badf")) close(fd);
    if (is("stale")) stamp();
    while (is("patient") && state_of(fd) != TCP_CLOSE) usleep(1000);
    /* A signal that is ignored comes while the call waits, or one that interrupts it. */
    if (is("restarted") && fork() == 0) exit(0);
    if (is("interrupted")) {
        struct sigaction action = {.sa_handler = nothing};
        sigaction(SIGALRM, &action, NULL);
        ualarm(2000, 0);
    }
    int result = wait_for(fd);
    int after = errno;
    if (is("badf")) {
        /* The line is stamped before errno is looked at. */
        stamp();
        after = errno;
    }
    if (is("strerror"))
        printf("result=%d, errno=%s\n", result, strerror(after));
    else
        printf("result=%d, errno=%d\n", result, after);
    fflush(stdout);
    if (is("crash")) *(volatile int *)8 = 1;
    while (read(fd, buffer, sizeof buffer) > 0) {
    }
    close(fd);
    return NULL;
}

static void hang_with_children(void) {
    for (int child = 0; child < 3; child++)
        if (fork() == 0) {
            setsid();
            signal(SIGTERM, SIG_IGN);
            if (fork() == 0) pause();
            pause();
        }
    pause();
}

int main(int count, char **arguments) {
    if (count != 4) return 64;
    mode = arguments[1];
    address = arguments[2];
    port = atoi(arguments[3]);
    if (is("nothing")) return 3;
    if (is("uring")) {
        /* Asks for a ring without entries: the kernel refuses. */
        syscall(425, 0, NULL);
        return 0;
    }
    if (is("hang")) hang_with_children();
    if (is("daemon") && fork() == 0) {
        setsid();
        close(0);
        pause();
    }
    if (is("child")) {
        if (fork() == 0) {
            talk(NULL);
            exit(0);
        }
        wait(NULL);
        return 0;
    }
    if (is("thread")) {
        pthread_t thread;
        pthread_create(&thread, NULL, talk, NULL);
        pthread_join(thread, NULL);
        return 0;
    }
    talk(NULL);
    return 0;
}
