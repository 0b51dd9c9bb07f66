/*
 * The relay that others are measured against: one epoll, recvfrom and sendto, nothing looked at.
 *
 * relay_loop HOST FIRST STREAMS TARGET: socket i is bound to HOST:FIRST+2i; what comes to it leaves by its partner
 * i^1 to HOST:TARGET+2(i^1). Says "ready" on standard output, and ends with its standard input.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in address(const char *host, int port)
{
    struct sockaddr_in result;
    memset(&result, 0, sizeof result);
    result.sin_family = AF_INET;
    result.sin_port = htons(port);
    inet_pton(AF_INET, host, &result.sin_addr);
    return result;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    const char *host = argv[1];
    int first = atoi(argv[2]), streams = atoi(argv[3]), target = atoi(argv[4]);
    int *sockets = calloc(streams, sizeof *sockets);
    struct sockaddr_in *targets = calloc(streams, sizeof *targets);
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN}, events[64];
    for (int i = 0; i < streams; i++) {
        struct sockaddr_in own = address(host, first + 2 * i);
        targets[i] = address(host, target + 2 * i);
        sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        if (bind(sockets[i], (struct sockaddr *)&own, sizeof own) < 0) {
            perror("bind");
            return 1;
        }
        event.data.u32 = i;
        epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[i], &event);
    }
    event.data.u32 = streams;
    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);
    puts("ready");
    fflush(stdout);
    char buffer[2048];
    for (;;) {
        int count = epoll_wait(epoll, events, 64, -1);
        for (int n = 0; n < count; n++) {
            unsigned i = events[n].data.u32;
            if (i == (unsigned)streams)
                return 0;
            struct sockaddr_in source;
            socklen_t size = sizeof source;
            ssize_t length = recvfrom(sockets[i], buffer, sizeof buffer, 0, (struct sockaddr *)&source, &size);
            if (length > 0)
                sendto(sockets[i ^ 1], buffer, length, 0, (struct sockaddr *)&targets[i ^ 1], sizeof targets[0]);
        }
    }
}
