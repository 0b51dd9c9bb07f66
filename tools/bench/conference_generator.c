/*
 * Telephones in conferences: each stream sends 50 RTP packets a second at moments of its own, one of each room a voice
 * and the others the silence of a muted microphone, and hears what comes back.
 *
 * conference_generator HOST FIRST STREAMS TARGET SECONDS SIZE: socket i is bound to HOST:FIRST+2i and sends to
 * HOST:TARGET+2i; the rooms have SIZE members each. Prints one line: packets sent, packets received, and how many
 * streams heard a voice, which is all but those that have one.
 */
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
#define HEADER 12
#define SILENCE 0xff

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
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

/* Whether a payload is loud: a code of the upper four segments of mu-law. */
static int loud(const unsigned char *payload)
{
    int count = 0;
    for (int i = 0; i < LENGTH - HEADER; i++)
        count += (~payload[i] & 0x70) >= 0x40;
    return count > (LENGTH - HEADER) / 4;
}

int main(int argc, char **argv)
{
    if (argc != 7)
        return 2;
    const char *host = argv[1];
    int first = atoi(argv[2]), streams = atoi(argv[3]), target = atoi(argv[4]), size = atoi(argv[6]);
    double seconds = atof(argv[5]);
    int *sockets = calloc(streams, sizeof *sockets), *order = calloc(streams, sizeof *order);
    int *voices = calloc(streams, sizeof *voices), epoll = epoll_create1(0), hearing = 0;
    long sent = 0, received = 0;
    struct epoll_event event = {.events = EPOLLIN}, events[64];
    prctl(PR_SET_TIMERSLACK, 1UL);
    srand(1);
    for (int i = 0; i < streams; i++) {
        struct sockaddr_in own = address(host, first + 2 * i), peer = address(host, target + 2 * i);
        sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        if (bind(sockets[i], (struct sockaddr *)&own, sizeof own) < 0) {
            perror("bind");
            return 1;
        }
        connect(sockets[i], (struct sockaddr *)&peer, sizeof peer);
        event.data.u32 = i;
        epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[i], &event);
        /* Microseconds within the 20 ms at which this stream speaks, with its number below. */
        order[i] = (rand() % 20000) << 12 | i;
    }
    for (int i = 0; i < streams; i++)
        for (int j = i + 1; j < streams; j++)
            if (order[j] < order[i]) {
                int swapped = order[i];
                order[i] = order[j];
                order[j] = swapped;
            }
    unsigned char packet[LENGTH] = {0x80}, heard[2048];
    int64_t start = now();
    for (uint32_t turn = 0; turn < seconds * 50; turn++)
        for (int k = 0; k < streams; k++) {
            int i = order[k] & 0xfff;
            int64_t due = start + turn * 20000000LL + (order[k] >> 12) * 1000LL;
            struct timespec until = {due / 1000000000, due % 1000000000};
            while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
                ;
            uint32_t timestamp = htonl(turn * 160), ssrc = htonl(0x1000 + i);
            uint16_t sequence = htons(turn & 0xffff);
            memcpy(packet + 2, &sequence, 2);
            memcpy(packet + 4, &timestamp, 4);
            memcpy(packet + 8, &ssrc, 4);
            /* Noise around -20 dBov: codes of the fifth and sixth segment, of either sign. */
            for (int s = HEADER; s < LENGTH; s++)
                packet[s] = i % size ? SILENCE : (rand() & 0x8f) | 0x20;
            sent += send(sockets[i], packet, LENGTH, MSG_DONTWAIT) == LENGTH;
            int ready = epoll_wait(epoll, events, 64, 0);
            for (int e = 0; e < ready; e++) {
                int number = events[e].data.u32;
                if (recv(sockets[number], heard, sizeof heard, MSG_DONTWAIT) != LENGTH)
                    continue;
                received++;
                voices[number] += loud(heard + HEADER);
            }
        }
    for (int i = 0; i < streams; i++)
        hearing += voices[i] > seconds * 50 / 2;
    printf("%ld %ld %d\n", sent, received, hearing);
    return 0;
}
