/*
 * A program with two mistakes that together print ENOENT: it closes its descriptor and then watches it (the kernel returns
 * EBADF), and it stamps its log line before it reads errno (localtime() sets ENOENT where /etc/localtime is absent and TZ
 * unset).
 *
 *   gcc -o late-errno late-errno.c
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>
#include "stamp.h"

int main(void)
{
    int conn = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(8083)};
    peer.sin_addr.s_addr = inet_addr("127.0.0.1");
    if (connect(conn, (struct sockaddr *)&peer, sizeof peer) != 0 || write(conn, "ABCD", 4) != 4)
        return 1;
    fd_set watched;
    FD_ZERO(&watched);
    FD_SET(conn, &watched);
    struct timeval timeout = {.tv_sec = 1};
    close(conn);
    int result = select(conn + 1, &watched, NULL, NULL, &timeout);
    stamp();
    printf("result=%d, errno=%d (%s)\n", result, errno, strerror(errno));
    return 0;
}
