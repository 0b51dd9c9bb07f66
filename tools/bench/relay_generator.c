/*
 * Telephones that talk: each stream sends 50 RTP packets a second at moments of its own, and hears what comes back.
 *
 * relay_generator HOST FIRST STREAMS TARGET SECONDS: socket i is bound to HOST:FIRST+2i and sends to HOST:TARGET+2i.
 * Prints one line: packets sent, packets received, and the median and 99th percentile of their delay in microseconds.
 * The moment of sending lies in the packet, the moment of arrival comes from the kernel.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LENGTH 172
#define BINS 100000

static long sent, received, bins[BINS];

static int64_t now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static struct sockaddr_in address(const char *host, int port)
{
    struct sockaddr_in result;
    memset(&result, 0, sizeof result);
    result.sin_family = AF_INET;
    result.sin_port = htons(port);
    inet_pton(AF_INET, host, &result.sin_addr);
    return result;
}

static void hear(int socket)
{
    char data[2048], control[128];
    struct iovec part = {data, sizeof data};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    if (recvmsg(socket, &message, MSG_DONTWAIT) != LENGTH)
        return;
    struct cmsghdr *extra = CMSG_FIRSTHDR(&message);
    struct timespec time;
    int64_t sent_at;
    if (extra == NULL)
        return;
    memcpy(&time, CMSG_DATA(extra), sizeof time);
    memcpy(&sent_at, data + 12, sizeof sent_at);
    int64_t delay = (time.tv_sec * 1000000000LL + time.tv_nsec - sent_at) / 1000;
    bins[delay < 0 ? 0 : delay >= BINS ? BINS - 1 : delay]++;
    received++;
}

static int percentile(double part)
{
    long seen = 0;
    for (int bin = 0; bin < BINS; bin++)
        if ((seen += bins[bin]) >= part * received && received)
            return bin;
    return -1;
}

static int ascending(const void *one, const void *other)
{
    return *(const int *)one - *(const int *)other;
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    const char *host = argv[1];
    int first = atoi(argv[2]), streams = atoi(argv[3]), target = atoi(argv[4]);
    double seconds = atof(argv[5]);
    int *sockets = calloc(streams, sizeof *sockets), *order = calloc(streams, sizeof *order);
    int epoll = epoll_create1(0), on = 1;
    struct epoll_event event = {.events = EPOLLIN}, events[64];
    prctl(PR_SET_TIMERSLACK, 1UL);
    srand(1);
    for (int i = 0; i < streams; i++) {
        struct sockaddr_in own = address(host, first + 2 * i), peer = address(host, target + 2 * i);
        sockets[i] = socket(AF_INET, SOCK_DGRAM, 0);
        setsockopt(sockets[i], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
        if (bind(sockets[i], (struct sockaddr *)&own, sizeof own) < 0) {
            perror("bind");
            return 1;
        }
        connect(sockets[i], (struct sockaddr *)&peer, sizeof peer);
        event.data.fd = sockets[i];
        epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[i], &event);
        /* Microseconds within the 20 ms at which this stream speaks, with its number below. */
        order[i] = (rand() % 20000) << 12 | i;
    }
    qsort(order, streams, sizeof *order, ascending);
    unsigned char packet[LENGTH];
    memset(packet, 0xd5, sizeof packet);
    int64_t start = now(CLOCK_MONOTONIC);
    for (uint32_t turn = 0; turn < seconds * 50; turn++)
        for (int k = 0; k < streams; k++) {
            int i = order[k] & 0xfff;
            int64_t due = start + turn * 20000000LL + (order[k] >> 12) * 1000LL, stamp;
            struct timespec until = {due / 1000000000, due % 1000000000};
            while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
                ;
            uint32_t timestamp = htonl(turn * 160), ssrc = htonl(0x1000 + i);
            uint16_t sequence = htons(turn & 0xffff);
            packet[0] = 0x80;
            packet[1] = 0;
            memcpy(packet + 2, &sequence, 2);
            memcpy(packet + 4, &timestamp, 4);
            memcpy(packet + 8, &ssrc, 4);
            stamp = now(CLOCK_REALTIME);
            memcpy(packet + 12, &stamp, 8);
            if (send(sockets[i], packet, LENGTH, 0) == LENGTH)
                sent++;
            int count = epoll_wait(epoll, events, 64, 0);
            for (int n = 0; n < count; n++)
                hear(events[n].data.fd);
        }
    /* What is still under way. */
    for (int count; (count = epoll_wait(epoll, events, 64, 100)) > 0;)
        for (int n = 0; n < count; n++)
            hear(events[n].data.fd);
    printf("%ld %ld %d %d\n", sent, received, percentile(0.5), percentile(0.99));
    return 0;
}
