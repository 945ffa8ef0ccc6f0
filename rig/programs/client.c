/*
 * The client of the production report: what does select() return after a RST?
 *
 *   gcc -o client3 client.c                        as the report has it: without <string.h>, strerror() returns an int to
 *                                                  the compiler, and the last line dereferences half a pointer
 *   gcc -DMENDED -o client3 client.c               with <string.h>
 *   gcc -DMENDED -DPAUSE_S=1 -o client3 client.c   sleeps one second instead of three
 *
 * Each line begins with a stamp. The one before select() leaves errno = 2 where /etc/localtime is absent and TZ unset; a
 * successful select() does not touch errno. Newer compilers refuse the first form: -Wno-implicit-function-declaration.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#ifdef MENDED
#include <string.h>
#endif
#include "stamp.h"

#ifndef PAUSE_S
#define PAUSE_S 3
#endif

int main(void)
{
    int conn = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(8083)};
    peer.sin_addr.s_addr = inet_addr("127.0.0.1");
    /* As in the report, nobody looks at what connect() returns. */
    connect(conn, (struct sockaddr *)&peer, sizeof peer);
    stamp();
    printf("connected\n");

    if (write(conn, "ABCD", 4) < 0)
        return 1;
    stamp();
    printf("sent ABCD\n");
    stamp();
    printf("waiting for %d s\n", PAUSE_S);
    sleep(PAUSE_S);

    if (fcntl(conn, F_GETFD) == -1) {
        stamp();
        printf("the descriptor is not valid: %s\n", strerror(errno));
        return 1;
    }
    stamp();
    printf("the descriptor is valid\n");

    fd_set watched;
    FD_ZERO(&watched);
    FD_SET(conn, &watched);
    struct timeval timeout = {.tv_sec = 5};
    stamp();
    printf("calling select()\n");
    int result = select(conn + 1, &watched, NULL, NULL, &timeout);
    int select_errno = errno;
    stamp();
    printf("DEBUG: result=%d, errno=%d (%s)\n", result, select_errno, strerror(select_errno));
    if (result == -1 && (select_errno == ENOENT || select_errno == EBADF))
        printf("*** select() failed with %d ***\n", select_errno);
    close(conn);
    return 0;
}
