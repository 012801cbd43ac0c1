"""Where the home's files lie. Knows their places and modes, not what is in them.

`PVCHAT_HOME` names the one folder; without it, `$XDG_STATE_HOME/pvchat-edge` or `~/.local/state/pvchat-edge`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime.contract.errors import ConfigError, StoreError

MAX_SOCKET_BYTES = 107
_PRIVATE = 0o700
_USE_BASE = "Delete it to use the base bundle."


@dataclass(frozen=True, slots=True)
class Home:
    """The one folder with all state of this box, mode 0700.

    Attributes:
        root: absolute path.
    """

    root: Path

    @staticmethod
    def from_environment(environ: Mapping[str, str] | None = None) -> Home:
        """The folder that the environment names; it need not exist yet."""
        environ = os.environ if environ is None else environ
        if named := environ.get("PVCHAT_HOME"):
            return Home(Path(named).expanduser().absolute())
        state = environ.get("XDG_STATE_HOME") or "~/.local/state"
        return Home((Path(state).expanduser() / "pvchat-edge").absolute())

    @property
    def config_file(self) -> Path:
        """Rooms, cameras and limits."""
        return self.root / "config" / "device.toml"

    @property
    def vault(self) -> Path:
        """Everything personal: the state database and the blobs."""
        return self.root / "vault"

    @property
    def state_db(self) -> Path:
        """SQLite: subjects, consent, adapters, floors."""
        return self.vault / "state.db"

    @property
    def blobs(self) -> Path:
        """Adapter files and contact sheets, named by sha256."""
        return self.vault / "blobs"

    @property
    def incoming(self) -> Path:
        """Files on their way into the vault; whatever lies here may be deleted."""
        return self.vault / "incoming"

    @property
    def bundles(self) -> Path:
        """Installed bundles by id, and the text file `current`."""
        return self.root / "bundles"

    @property
    def models(self) -> Path:
        """Models of others, as `models pull` fetches them."""
        return self.root / "models"

    @property
    def engines(self) -> Path:
        """TensorRT plans built on this box, one folder a bundle, as `bundle build-engines` makes them."""
        return self.root / "engines"

    @property
    def run(self) -> Path:
        """Sockets, pid and lock files."""
        return self.root / "run"

    @property
    def evidence(self) -> Path:
        """Saved evidence pictures."""
        return self.root / "evidence"

    @property
    def logs(self) -> Path:
        """Log files of daemon and runtime."""
        return self.root / "logs"

    @property
    def ota(self) -> Path:
        """Metadata and downloads of the update channel."""
        return self.root / "ota"

    @property
    def keys(self) -> Path:
        """Key of this home, and the keys that may ask over the network."""
        return self.root / "keys"

    @property
    def key_file(self) -> Path:
        """This home's own key pair."""
        return self.keys / "own.json"

    @property
    def allowed_keys(self) -> Path:
        """Names and public keys of the machines that may ask."""
        return self.keys / "allowed.json"

    @property
    def runtime_endpoint(self) -> str:
        """ZeroMQ endpoint of the runtime.

        Raises:
            ConfigError: the path is longer than a socket's path may be.
        """
        return self.endpoint("runtime")

    @property
    def daemon_endpoint(self) -> str:
        """ZeroMQ endpoint of the daemon; raises like `runtime_endpoint`."""
        return self.endpoint("daemon")

    def socket_path(self, name: str) -> Path:
        """Path of a socket, whatever its length."""
        return self.run / f"{name}.sock"

    def endpoint(self, name: str) -> str:
        """`ipc://` endpoint of a socket in `run`.

        Raises:
            ConfigError: the path is longer than a socket's path may be.
        """
        path = self.socket_path(name)
        size = len(os.fsencode(path))
        if size > MAX_SOCKET_BYTES:
            raise ConfigError(
                f"the socket path {path} has {size} bytes, the system allows {MAX_SOCKET_BYTES}.",
                "Set PVCHAT_HOME to a shorter path.",
            )
        return f"ipc://{path}"

    def create(self) -> Home:
        """Make every folder that is missing, mode 0700; idempotent.

        Raises:
            StoreError: a folder cannot be made.
        """
        folders = (
            self.root, self.config_file.parent, self.vault, self.blobs, self.incoming, self.bundles, self.run,
            self.evidence, self.logs, self.ota, self.keys,
        )  # fmt: skip
        try:
            self.root.parent.mkdir(parents=True, exist_ok=True)
            for folder in folders:
                folder.mkdir(mode=_PRIVATE, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot make {error.filename}: {error.strerror}.", "Set PVCHAT_HOME to a folder of yours."
            ) from error
        return self

    def current_bundle(self) -> Path:
        """The bundle in use: the one that `bundles/current` names, else the base bundle of the package."""
        installed = self.installed_bundle()
        return self.bundles / installed if installed else base_bundle()

    def installed_bundle(self) -> str | None:
        """Id of the installed bundle, or None when the base bundle is in use.

        Raises:
            StoreError: `bundles/current` does not hold an id.
        """
        path = self.bundles / "current"
        try:
            text = path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(f"cannot read {path}: {error}.", "Delete it to use the base bundle.") from error
        if not text.isalnum():
            raise StoreError(
                f"{path} holds {text!r}, which is no bundle id.", "Delete it to use the base bundle."
            )
        return text


def base_bundle() -> Path:
    """The bundle that ships inside the package; it may be absent in a checkout without one."""
    import runtime

    return Path(str(runtime.__file__)).parent / "base_bundle"
