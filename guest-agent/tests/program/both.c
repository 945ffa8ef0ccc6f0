/* A server that resets and its client, in one program on a fixed port: both PORT. Over IPv4; the client is the parent. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **arguments) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(count > 1 ? atoi(arguments[1]) : 8083)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    char buffer[64];
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1) != 0) {
        perror("bind");
        return 2;
    }
    if (fork() == 0) {
        struct linger at_once = {1, 0};
        int fd = accept(listener, NULL, NULL);
        (void)!read(fd, buffer, sizeof buffer);
        (void)!write(fd, "CDEF", 4);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(fd);
        exit(0);
    }
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) return 3;
    (void)!write(fd, "hello", 5);
    wait(NULL);
    fd_set set;
    struct timeval timeout = {5, 0};
    FD_ZERO(&set);
    FD_SET(fd, &set);
    int result = select(fd + 1, &set, NULL, NULL, &timeout);
    printf("result=%d, errno=%d\n", result, errno);
    while (read(fd, buffer, sizeof buffer) > 0) {
    }
    return 0;
}
