/*
 * The reference for conferences: a loop that receives each packet when it comes, and every 20 ms adds up each room and
 * sends everybody the sum of the others. It puts nothing in order, makes up nothing and knows nobody.
 *
 * conference_loop HOST FIRST STREAMS TARGET SIZE: socket i is bound to HOST:FIRST+2i and sends to HOST:TARGET+2i; the
 * rooms have SIZE members each. Says "ready", and ends with its standard input.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define LENGTH 172
#define HEADER 12
#define SAMPLES 160

static int16_t linear[256];
static uint8_t codes[65536];

static void tables(void)
{
    for (int code = 0; code < 256; code++) {
        int bits = ~code & 0xff, magnitude = ((((bits & 0x0f) << 3) + 0x84) << (bits >> 4 & 7)) - 0x84;
        linear[code] = bits & 0x80 ? -magnitude : magnitude;
    }
    for (int sample = -32768; sample < 32768; sample++) {
        int magnitude = (sample < 0 ? -sample : sample) + 0x84, segment = 7;
        if (magnitude > 32767)
            magnitude = 32767;
        while (segment > 0 && magnitude < 0x80 << segment)
            segment--;
        codes[(uint16_t)sample] = ~((sample < 0 ? 0x80 : 0) | segment << 4 | (magnitude >> (segment + 3) & 0x0f));
    }
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    int streams = atoi(argv[3]), size = atoi(argv[5]);
    int *sockets = calloc(streams, sizeof *sockets), epoll = epoll_create1(0);
    struct sockaddr_in *targets = calloc(streams, sizeof *targets);
    uint8_t (*heard)[SAMPLES] = malloc(streams * SAMPLES), data[2048], packet[LENGTH] = {0x80};
    struct epoll_event event = {.events = EPOLLIN}, events[64];
    tables();
    memset(heard, 0xff, streams * SAMPLES);
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
        event.data.u32 = i;
        epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[i], &event);
    }
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec every = {.it_interval = {0, 20000000}, .it_value = {0, 20000000}};
    timerfd_settime(timer, 0, &every, NULL);
    event.data.u32 = streams;
    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
    event.data.u32 = streams + 1;
    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);
    puts("ready");
    fflush(stdout);
    for (uint32_t turn = 0;;) {
        int ready = epoll_wait(epoll, events, 64, -1);
        for (int e = 0; e < ready; e++) {
            uint32_t number = events[e].data.u32;
            if (number > (uint32_t)streams)
                return 0;
            if (number < (uint32_t)streams) {
                if (recv(sockets[number], data, sizeof data, 0) == LENGTH)
                    memcpy(heard[number], data + HEADER, SAMPLES);
                continue;
            }
            unsigned long long ticks;
            if (read(timer, &ticks, sizeof ticks) != sizeof ticks)
                continue;
            for (turn++; ticks--;)
                for (int room = 0; room < streams; room += size) {
                    int sum[SAMPLES] = {0}, end = room + size < streams ? room + size : streams;
                    for (int i = room; i < end; i++)
                        for (int s = 0; s < SAMPLES; s++)
                            sum[s] += linear[heard[i][s]];
                    for (int i = room; i < end; i++) {
                        uint16_t sequence = htons(turn & 0xffff);
                        uint32_t timestamp = htonl(turn * SAMPLES), ssrc = htonl(i);
                        memcpy(packet + 2, &sequence, 2);
                        memcpy(packet + 4, &timestamp, 4);
                        memcpy(packet + 8, &ssrc, 4);
                        for (int s = 0; s < SAMPLES; s++) {
                            int other = sum[s] - linear[heard[i][s]];
                            other = other > 32767 ? 32767 : other < -32768 ? -32768 : other;
                            packet[HEADER + s] = codes[(uint16_t)other];
                        }
                        sendto(sockets[i], packet, LENGTH, 0, (struct sockaddr *)&targets[i], sizeof targets[i]);
                    }
                }
        }
    }
}
