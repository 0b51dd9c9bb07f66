/*
 * The reference for music: a loop that sends a datagram of 172 bytes out of each of its sockets every 20 ms, and knows
 * nothing of what it sends.
 *
 * music_loop HOST FIRST STREAMS TARGET: socket i is bound to HOST:FIRST+2i and sends to HOST:TARGET+2i. Says "ready",
 * and ends with its standard input.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int streams = atoi(argv[3]);
    int *sockets = calloc(streams, sizeof(int));
    struct sockaddr_in *targets = calloc(streams, sizeof(struct sockaddr_in));
    char packet[172];
    if (argc != 5)
        return 2;
    memset(packet, 0x55, sizeof packet);
    for (int i = 0; i < streams; i++) {
        struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]) + 2 * i)};
        inet_pton(AF_INET, argv[1], &own.sin_addr);
        targets[i] = own;
        targets[i].sin_port = htons(atoi(argv[4]) + 2 * i);
        sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        if (bind(sockets[i], (struct sockaddr *)&own, sizeof own) < 0) {
            perror("bind");
            return 1;
        }
    }
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec every = {.it_interval = {0, 20000000}, .it_value = {0, 20000000}};
    timerfd_settime(timer, 0, &every, NULL);
    struct pollfd waiting[2] = {{.fd = timer, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    puts("ready");
    fflush(stdout);
    for (;;) {
        unsigned long long ticks;
        poll(waiting, 2, -1);
        if (waiting[1].revents)
            return 0;
        if (read(timer, &ticks, sizeof ticks) != sizeof ticks)
            continue;
        while (ticks--)
            for (int i = 0; i < streams; i++)
                sendto(sockets[i], packet, sizeof packet, 0, (struct sockaddr *)&targets[i], sizeof targets[i]);
    }
}
