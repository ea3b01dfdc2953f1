"""Where a model runs: cuda, mps or cpu, chosen by name or automatically, and what it is called."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
import torch

from metalm.config import DeviceName
from metalm.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class DeviceDescription:
    kind: str  # cuda, mps or cpu
    name: str  # what its maker calls it
    memory_bytes: int  # its memory in all; mps and the cpu share the machine's


def available() -> tuple[str, ...]:
    """The kinds of device of this machine, the one that `auto` takes first."""
    cuda = ("cuda",) if torch.cuda.is_available() else ()
    mps = ("mps",) if torch.backends.mps.is_available() else ()
    return (*cuda, *mps, "cpu")


def pick_device(name: DeviceName) -> torch.device:
    """The device of that name; `auto` takes cuda, then mps, then cpu. ConfigError when it is not here."""
    here = available()
    if name == "auto":
        return torch.device(here[0])
    if name not in here:
        raise ConfigError(f"device must be one that this machine has ({', '.join(here)}), got {name!r}")
    return torch.device(name)


def describe(device: torch.device) -> DeviceDescription:
    """What to call the device on a screen, and how much memory it has."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return DeviceDescription(kind="cuda", name=properties.name, memory_bytes=properties.total_memory)
    memory = psutil.virtual_memory().total
    if device.type == "mps":
        return DeviceDescription(kind="mps", name="Apple GPU", memory_bytes=memory)
    cores = psutil.cpu_count(logical=True) or 1
    return DeviceDescription(kind="cpu", name=f"CPU, {cores} cores", memory_bytes=memory)
