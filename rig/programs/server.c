/*
 * The server of the production report: answers once, and closes with SO_LINGER {1, 0}, so that a RST follows its data.
 *
 *   gcc -o server server.c
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "stamp.h"

int main(void)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(8083)};
    here.sin_addr.s_addr = inet_addr("127.0.0.1");
    if (bind(listener, (struct sockaddr *)&here, sizeof here) != 0 || listen(listener, 3) != 0) {
        perror("8083");
        return 1;
    }
    stamp();
    printf("listening\n");
    fflush(stdout);
    int conn = accept(listener, NULL, NULL);
    char request[1024];
    ssize_t got = read(conn, request, sizeof request);
    stamp();
    printf("read %zd bytes\n", got);
    if (got > 0 && write(conn, "CDEF", 4) == 4) {
        stamp();
        printf("sent CDEF\n");
    }
    usleep(10000);
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(conn, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(conn);
    stamp();
    printf("closed, with a RST\n");
    close(listener);
    return 0;
}
