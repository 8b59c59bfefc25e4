"""Certificates for tests, made by OpenSSL's own program."""

import pathlib
import subprocess


def make_certificate(folder: pathlib.Path, name: str,
                     names: str = "DNS:hub.test,IP:127.0.0.1") -> tuple[pathlib.Path, pathlib.Path]:
    """A self-signed one of these names: its file and its key's."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}",
                    "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key
