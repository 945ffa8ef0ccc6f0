/*
 * The counter-measure of the report, 50 times 100 ms instead of once 5 s, as it is printed there: neither the set nor the
 * timeout is set again, and Linux changes both. The first call that times out clears the set and leaves a timeout of 0, so
 * the other 49 return at once, and data that comes after 300 ms is never seen.
 *
 *   gcc -o loop loop.c
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/select.h>
#include <sys/time.h>
#include <unistd.h>

int main(void)
{
    int conn = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(8083)};
    peer.sin_addr.s_addr = inet_addr("127.0.0.1");
    if (connect(conn, (struct sockaddr *)&peer, sizeof peer) != 0 || write(conn, "ABCD", 4) != 4)
        return 1;
    struct timeval begin, end;
    gettimeofday(&begin, NULL);
    fd_set watched;
    FD_ZERO(&watched);
    FD_SET(conn, &watched);
    struct timeval timeout = {.tv_usec = 100000};
    int result = 0, rounds = 0;
    while (rounds < 50 && result == 0) {
        result = select(conn + 1, &watched, NULL, NULL, &timeout);
        rounds++;
    }
    gettimeofday(&end, NULL);
    long ms = (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_usec - begin.tv_usec) / 1000;
    printf("rounds=%d after %ld ms, result=%d\n", rounds, ms, result);
    close(conn);
    return 0;
}
