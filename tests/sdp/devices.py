"""
Offers as phones, softphones, gateways and browsers write them, one a device, lines ended by LF.
"""

from __future__ import annotations

KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"

OFFERS = {
    "Yealink T46": """\
v=0
o=- 20083 20083 IN IP4 192.168.1.50
s=SDP data
c=IN IP4 192.168.1.50
t=0 0
m=audio 11798 RTP/AVP 0 8 18 9 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:9 G722/8000
a=fmtp:101 0-15
a=rtpmap:101 telephone-event/8000
a=ptime:20
a=sendrecv
""",
    "Yealink T46, encryption optional": f"""\
v=0
o=- 20084 20084 IN IP4 192.168.1.50
s=SDP data
c=IN IP4 192.168.1.50
t=0 0
m=audio 11800 RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}
a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:{KEY}
a=crypto:3 F8_128_HMAC_SHA1_80 inline:{KEY}
a=fmtp:101 0-15
a=rtpmap:101 telephone-event/8000
a=ptime:20
a=sendrecv
""",
    "Polycom VVX": """\
v=0
o=- 1437153829 1437153829 IN IP4 10.0.0.41
s=Polycom IP Phone
c=IN IP4 10.0.0.41
t=0 0
a=sendrecv
m=audio 2246 RTP/AVP 115 102 9 0 8 18 127
a=rtpmap:115 G7221/16000
a=fmtp:115 bitrate=32000
a=rtpmap:102 G7221/16000
a=fmtp:102 bitrate=24000
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:127 telephone-event/8000
""",
    "Polycom VVX, held": """\
v=0
o=- 1437153829 1437153830 IN IP4 10.0.0.41
s=Polycom IP Phone
c=IN IP4 10.0.0.41
t=0 0
a=sendonly
m=audio 2246 RTP/AVP 0 127
a=rtpmap:0 PCMU/8000
a=rtpmap:127 telephone-event/8000
""",
    "Cisco SPA504G": """\
v=0
o=- 57690 57690 IN IP4 192.168.0.12
s=-
c=IN IP4 192.168.0.12
t=0 0
m=audio 16454 RTP/AVP 0 2 8 9 18 96 97 98 101
a=rtpmap:0 PCMU/8000
a=rtpmap:2 G726-32/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:9 G722/8000
a=rtpmap:18 G729a/8000
a=rtpmap:96 G726-40/8000
a=rtpmap:97 G726-24/8000
a=rtpmap:98 G726-16/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:30
a=sendrecv
""",
    "Cisco 7960, held": """\
v=0
o=Cisco-SIPUA 7 8 IN IP4 192.168.0.60
s=SIP Call
c=IN IP4 0.0.0.0
t=0 0
m=audio 23456 RTP/AVP 0 8 18 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:18 G729/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
""",
    "Cisco gateway": """\
v=0
o=CiscoSystemsSIP-GW-UserAgent 9853 3742 IN IP4 198.51.100.4
s=SIP Call
c=IN IP4 198.51.100.4
t=0 0
m=audio 17500 RTP/AVP 18 0 100 101
c=IN IP4 198.51.100.5
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:0 PCMU/8000
a=rtpmap:100 X-NSE/8000
a=fmtp:100 192-194,200-202
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=X-sqn:0
a=X-cap: 1 audio RTP/AVP 100
a=X-cpar: a=rtpmap:100 X-NSE/8000
""",
    "Grandstream GXP": """\
v=0
o=John Doe 8000 8000 IN IP4 192.168.7.20
s=SIP Call
c=IN IP4 192.168.7.20
t=0 0
m=audio 5004 RTP/AVP 0 8 18 9 97 2 101
a=sendrecv
a=rtpmap:0 PCMU/8000
a=ptime:20
a=rtpmap:8 PCMA/8000
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:9 G722/8000
a=rtpmap:97 iLBC/8000
a=fmtp:97 mode=20
a=rtpmap:2 G726-32/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
""",
    "Snom 760": f"""\
v=0
o=root 1821407532 1821407532 IN IP4 192.168.5.31
s=call
c=IN IP4 192.168.5.31
t=0 0
m=audio 57044 RTP/AVP 9 0 8 3 99 112 18 101
a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:{KEY}
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:3 GSM/8000
a=rtpmap:99 G726-32/8000
a=rtpmap:112 AAL2-G726-32/8000
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendrecv
""",
    "Fritz!Box": """\
v=0
o=user 15388946 15388946 IN IP4 192.168.178.1
s=call
c=IN IP4 192.168.178.1
t=0 0
m=audio 7078 RTP/AVP 8 0 2 102 100 99 97 120 121 101
a=sendrecv
a=rtpmap:2 G726-32/8000
a=rtpmap:102 G726-32/8000
a=rtpmap:100 G726-40/8000
a=rtpmap:99 G726-24/8000
a=rtpmap:97 iLBC/8000
a=fmtp:97 mode=30
a=rtpmap:120 PCMA/16000
a=rtpmap:121 PCMU/16000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=rtcp:7079
""",
    "baresip 1.0": """\
v=0
o=- 3824661520 2124211458 IN IP4 172.17.0.2
s=-
c=IN IP4 172.17.0.2
t=0 0
a=tool:baresip 1.0.0
m=audio 20304 RTP/AVP 96 0 8 97
b=AS:128
a=rtpmap:96 opus/48000/2
a=fmtp:96 stereo=1;sprop-stereo=1;maxaveragebitrate=28000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:97 telephone-event/8000
a=fmtp:97 0-15
a=rtcp:20305
a=sendrecv
a=label:1
a=rtcp-rsize
a=ssrc:2124211458 cname:sip:1005@192.0.2.1
a=ptime:20
a=maxptime:60
""",
    "baresip 1.0, SRTP over IPv6": f"""\
v=0
o=- 3824661521 1 IN IP6 2001:db8::15
s=-
c=IN IP6 2001:db8::15
t=0 0
a=tool:baresip 1.0.0
m=audio 20306 RTP/SAVP 0 8 97
b=AS:125
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:97 telephone-event/8000
a=fmtp:97 0-15
a=rtcp:20306
a=rtcp-mux
a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:{KEY}
a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{KEY}
a=sendrecv
a=ptime:20
""",
    "Linphone 5": """\
v=0
o=alice 3083 1428 IN IP4 192.168.1.33
s=Talk
c=IN IP4 192.168.1.33
t=0 0
a=ice-pwd:0f9c1a6f5d1b2b5f9d3c7a11
a=ice-ufrag:7a2c9d10
a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics
a=record:off
m=audio 7078 RTP/AVPF 96 97 98 0 8 18 101 99 100
a=rtpmap:96 opus/48000/2
a=fmtp:96 useinbandfec=1
a=rtpmap:97 speex/16000
a=fmtp:97 vbr=on
a=rtpmap:98 speex/8000
a=fmtp:98 vbr=on
a=fmtp:18 annexb=yes
a=rtpmap:101 telephone-event/48000
a=rtpmap:99 telephone-event/16000
a=rtpmap:100 telephone-event/8000
a=candidate:1 1 UDP 2130706303 192.168.1.33 7078 typ host
a=candidate:1 2 UDP 2130706302 192.168.1.33 7079 typ host
a=rtcp-fb:* trr-int 1000
a=rtcp-fb:* ccm tmmbr
m=video 9078 RTP/AVPF 96 97
a=rtpmap:96 VP8/90000
a=rtpmap:97 H264/90000
a=fmtp:97 profile-level-id=42801F
a=rtcp-fb:* trr-int 1000
""",
    "Asterisk": """\
v=0
o=- 1603457732 1603457732 IN IP4 203.0.113.7
s=Asterisk
c=IN IP4 203.0.113.7
t=0 0
m=audio 14042 RTP/AVP 0 8 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=maxptime:150
a=sendrecv
""",
    "FreeSWITCH": """\
v=0
o=FreeSWITCH 1603431574 1603431575 IN IP4 203.0.113.9
s=FreeSWITCH
c=IN IP4 203.0.113.9
t=0 0
m=audio 24558 RTP/AVP 102 0 8 103 101 13
a=rtpmap:102 opus/48000/2
a=fmtp:102 useinbandfec=1; maxaveragebitrate=30000; maxplaybackrate=48000; ptime=20; minptime=10; maxptime=40
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:103 telephone-event/48000
a=fmtp:103 0-15
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=rtpmap:13 CN/8000
a=ptime:20
""",
    "Teams through an SBC": f"""\
v=0
o=- 147624 0 IN IP4 52.112.0.10
s=session
c=IN IP4 52.112.0.10
b=CT:10000000
t=0 0
m=audio 50004 RTP/SAVP 104 9 103 111 18 0 8 97 101 13 118
c=IN IP4 52.112.0.11
a=rtcp:50005
a=ice-ufrag:pGmb
a=ice-pwd:nhnvlW5rxCGLzjP8Hn6sRgPl
a=candidate:1 1 UDP 2130706431 52.112.0.11 50004 typ host
a=label:main-audio
a=mid:1
a=silenceSupp:off - - - -
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^31|1:1
a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^31
a=sendrecv
a=rtpmap:104 SILK/16000
a=rtpmap:9 G722/8000
a=rtpmap:103 SILK/8000
a=rtpmap:111 SIREN/16000
a=fmtp:111 bitrate=16000
a=rtpmap:18 G729/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:97 RED/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=rtpmap:13 CN/8000
a=rtpmap:118 CN/16000
a=ptime:20
""",
    "two streams, the second plain": f"""\
v=0
o=- 5 5 IN IP4 192.168.1.70
s=-
c=IN IP4 192.168.1.70
t=0 0
m=audio 12000 RTP/SAVP 8
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}
a=rtpmap:8 PCMA/8000
m=audio 12000 RTP/AVP 8
a=rtpmap:8 PCMA/8000
""",
    "Chrome": """\
v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS stream
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:EsAw
a=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y
a=ice-options:trickle
a=fingerprint:sha-256 D2:B9:31:8F:DF:24:D8:0E:ED:D2:EF:25:9E:AF:6F:B8:34:AE:53:9C:E6:F3:8F:F2:64:15:FA:E8:7F:53:2D:38
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendrecv
a=msid:stream track
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:3570614608 cname:4TOk42mSjXCkVIa6
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=ice-ufrag:EsAw
a=sctp-port:5000
a=mid:1
""",
}
"""The text of each offer by its device."""


def offer_of(device: str) -> bytes:
    """
    The offer as it comes in a message.
    """
    return OFFERS[device].replace("\n", "\r\n").encode()
