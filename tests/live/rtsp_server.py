"""An RTSP camera made of Debian's gst-rtsp-server; run by Debian's own Python, not by ours.

Reads one JSON line from standard input: {"address", "port", "epoch", "user", "password",
"certificate", "key", "mounts": {path: {"feed", "shared", "transports"}}}, says `ready PORT`, and
plays every feed round and round by the wall clock; with a certificate under TLS alone. Later lines
change it: {"mount", "swap": feed} goes on with another feed inside the running sessions, {"mount",
"feed"} drops them and serves the other one from then on. The end of standard input ends it, so that
it never outlives a test.
"""

import bisect
import functools
import json
import operator
import struct
import sys
import threading
import time
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

RECORD = struct.Struct("<BBqI")
TICK_S = 0.005
# A program that has not come round for so long was stopped: a camera does not see what was then.
STOPPED_NS = 500_000_000
PAYLOADERS = {
    "video/x-h264": "rtph264pay pt=96 config-interval=0",
    "audio/mpeg": "rtpmp4gpay pt=97",
    "audio/x-mulaw": "rtppcmupay pt=0",
    "audio/x-opus": "rtpopuspay pt=98",
}
TRANSPORTS = {
    "tcp": GstRtsp.RTSPLowerTrans.TCP,
    "udp": GstRtsp.RTSPLowerTrans.UDP,
}
ROLE = "viewer, media.factory.access=(boolean)true, media.factory.construct=(boolean)true"


class Feed:
    """A clip's packets by time."""

    def __init__(self, path):
        data = Path(path).read_bytes()
        place = data.index(b"\n") + 1
        header = json.loads(data[:place])
        self.length, self.tracks = header["length_ns"], header["tracks"]
        self.packets = []
        while place < len(data):
            track, key, due, size = RECORD.unpack_from(data, place)
            place += RECORD.size
            self.packets.append((due, track, key, data[place : place + size]))
            place += size
        self.times = [packet[0] for packet in self.packets]

    def position(self, now):
        """(round, index) of the first packet after `now` (ns since the epoch)."""
        turn, rest = divmod(now, self.length)
        return turn, bisect.bisect_right(self.times, rest)

    def key_position(self, now):
        """(round, index) of the newest key frame at `now`."""
        turn, index = self.position(now)
        while True:
            index -= 1
            if index < 0:
                turn, index = turn - 1, len(self.packets) - 1
            if self.packets[index][1] == 0 and self.packets[index][2]:
                return turn, index

    def launch(self):
        """The pipeline's description in GStreamer's words."""
        parts = []
        for number, track in enumerate(self.tracks):
            payloader = PAYLOADERS[track["caps"].split(",")[0]]
            parts.append(
                f"appsrc name=in{number} is-live=true format=time max-bytes=0"
                f' caps="{track["caps"]}" ! {payloader} name=pay{number}'
            )
        return "( " + " ".join(parts) + " )"


class Player:
    """Pushes a feed into one pipeline by the wall clock, beginning with the newest key frame."""

    def __init__(self, feed, sources, epoch):
        self.feed, self.sources, self.epoch = feed, sources, epoch
        self.came_round = self.now()
        self.place = feed.key_position(self.came_round)

    def now(self):
        return time.time_ns() - self.epoch

    def push_due(self):
        """False when the pipeline takes no more."""
        now, feed = self.now(), self.feed
        if now - self.came_round > STOPPED_NS:
            self.place = max(self.place, feed.key_position(now))
        self.came_round = now
        while True:
            turn, index = self.place
            if index == len(feed.packets):
                turn, index = turn + 1, 0
            due, track, _, data = feed.packets[index]
            due += turn * feed.length
            if due > now:
                self.place = turn, index
                return True
            buffer = Gst.Buffer.new_wrapped(data)
            buffer.pts = buffer.dts = max(0, due)
            self.place = turn, index + 1
            if self.sources[track].emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                return False


class Factory(GstRtspServer.RTSPMediaFactory):
    """Makes the pipelines of one mount."""

    def __init__(self, camera, feed, shared):
        super().__init__()
        self.camera, self.feed = camera, feed
        self.set_launch(feed.launch())
        self.set_shared(shared)
        self.connect("media-configure", self._configure)

    def _configure(self, _, media):
        element = media.get_element()
        # Running time is time since the epoch, in every pipeline: what a late start holds is late
        # and goes out at once, and RTCP tells the true wall time of every packet.
        pipeline, clock = element.get_parent(), Gst.SystemClock.obtain()
        pipeline.use_clock(clock)
        pipeline.set_start_time(Gst.CLOCK_TIME_NONE)
        pipeline.set_base_time(clock.get_time() - (time.time_ns() - self.camera.epoch))
        sources = [element.get_by_name(f"in{i}") for i in range(len(self.feed.tracks))]
        player = Player(self.feed, sources, self.camera.epoch)
        self.camera.add(self, player)
        media.connect("unprepared", lambda _: self.camera.remove(player))


class Camera:
    """The server, its mounts, and the thread that plays."""

    def __init__(self, wish):
        self.epoch = round(wish["epoch"] * 10**9)
        self.lock = threading.Lock()
        self.players = {}
        self.factories = {}
        self.server = GstRtspServer.RTSPServer.new()
        self.server.set_address(wish["address"])
        self.server.set_service(str(wish["port"]))
        self.auth = guard(wish)
        self.server.set_auth(self.auth)
        for path, mount in wish["mounts"].items():
            self.serve(path, mount)
        if not self.server.attach(None):
            sys.exit(f"cannot listen on {wish['address']}:{wish['port']}")
        threading.Thread(target=self._play, daemon=True).start()

    def serve(self, path, mount):
        factory = Factory(self, Feed(mount["feed"]), mount.get("shared", True))
        if self.auth is not None:
            factory.add_role_from_structure(Gst.Structure.from_string(ROLE)[0])
        allowed = [TRANSPORTS[name] for name in mount.get("transports", ["tcp", "udp"])]
        factory.set_protocols(functools.reduce(operator.or_, allowed))
        self.factories[path] = factory
        self.server.get_mount_points().add_factory(path, factory)

    def change(self, wish):
        """What one line of standard input asks for."""
        path = wish.pop("mount")
        if "swap" in wish:
            feed = Feed(wish["swap"])
            factory = self.factories[path]
            with self.lock:
                players = [one for one, owner in self.players.items() if owner is factory]
                for player in players:
                    player.feed, player.place = feed, feed.key_position(player.now())
            return
        self.server.get_mount_points().remove_factory(path)
        self.serve(path, wish)
        self.server.client_filter(lambda *_: GstRtspServer.RTSPFilterResult.REMOVE)

    def add(self, factory, player):
        """From now on this player is played."""
        with self.lock:
            self.players[player] = factory

    def remove(self, player):
        """From now on it is not."""
        with self.lock:
            self.players.pop(player, None)

    def _play(self):
        while True:
            with self.lock:
                for player in list(self.players):
                    if not player.push_due():
                        self.players.pop(player)
            time.sleep(TICK_S)


def guard(wish):
    """Basic authentication that knows one user, or nobody's; TLS if there is a certificate."""
    if not wish.get("user") and not wish.get("certificate"):
        return None
    auth = GstRtspServer.RTSPAuth.new()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    if wish.get("user"):
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(wish["user"], wish["password"]), token)
    else:
        auth.set_default_token(token)
    if wish.get("certificate"):
        files = wish["certificate"], wish["key"]
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_files(*files))
    return auth


def listen(camera, loop):
    """Carries out what standard input says until it ends."""
    for line in sys.stdin:
        GLib.idle_add(camera.change, json.loads(line))
    GLib.idle_add(loop.quit)


def say_ready(camera):
    """Tells the port to who waits for it."""
    sys.stdout.write(f"ready {camera.server.get_bound_port()}\n")
    sys.stdout.flush()


def main():
    """Serves until standard input ends."""
    Gst.init(None)
    camera = Camera(json.loads(sys.stdin.readline()))
    loop = GLib.MainLoop()
    threading.Thread(target=listen, args=(camera, loop), daemon=True).start()
    # Ready only once the loop runs and can answer.
    GLib.idle_add(say_ready, camera)
    loop.run()


if __name__ == "__main__":
    main()
