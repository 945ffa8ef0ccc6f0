/* The beginning of a log line: [hh:mm:ss.mmm] by gettimeofday(2) and localtime(3), the call that looks for /etc/localtime. */
#include <stdio.h>
#include <sys/time.h>
#include <time.h>

static void stamp(void)
{
    struct timeval now;
    gettimeofday(&now, NULL);
    struct tm *local = localtime(&now.tv_sec);
    printf("[%02d:%02d:%02d.%03ld] ", local->tm_hour, local->tm_min, local->tm_sec, (long)now.tv_usec / 1000);
}
