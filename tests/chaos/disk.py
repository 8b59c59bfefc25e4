"""The test's side of tests/stand-ins/disk: decides what becomes of each write and sync of the hub's database."""

import contextlib
import os
import pathlib
import socket
import struct
import threading

POINTS = {"w": "write", "s": "before sync", "S": "after sync"}


class Disk:
    """`fault` is called with (point, file) and answers None, "k" (die), "n" (no space) or "e" (I/O error)."""

    def __init__(self, folder: pathlib.Path):
        self.path = str(folder / "disk.sock")
        self.clock_path = str(folder / "clock")
        pathlib.Path(self.clock_path).write_bytes(struct.pack("<q", 0))
        self.fault = None
        self.questions = 0
        self.clock_was_set = 0  # so often
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(self.path)
        self.listener.listen(16)
        threading.Thread(target=self.accept, daemon=True).start()

    def environment(self, library: pathlib.Path) -> dict:
        return {"LD_PRELOAD": str(library), "BERTH_DISK_SOCKET": self.path, "BERTH_CLOCK_FILE": self.clock_path}

    def set_clock(self, seconds: float) -> None:
        """The hub's wall clock is that much ahead of the machine's, from now on."""
        self.clock_was_set += 1
        with open(self.clock_path, "r+b") as file:  # in place: it is mapped
            file.write(struct.pack("<q", int(seconds * 1e9)))

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = self.listener.accept()
                threading.Thread(target=self.judge, args=(one,), daemon=True).start()

    def judge(self, one: socket.socket) -> None:
        with one, contextlib.suppress(OSError):
            while question := one.recv(2):
                self.questions += 1
                fault = self.fault
                verdict = fault(chr(question[0]), chr(question[1])) if fault else None
                one.send((verdict or "g").encode())

    def stop(self) -> None:
        self.listener.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
