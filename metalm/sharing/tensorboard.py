"""Histories as TensorBoard's event files: a folder a run, written and read by TensorBoard's own library."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from metalm.errors import ConfigError
from metalm.sharing.histories import History, Scalar, moment_of, seconds_since, told_in

_TOLD, _SETTINGS, _RESULTS = "metalm/run", "metalm/settings", "results"


def write(history: History, place: Path) -> Path:
    """Writes a history as one event file in the folder `place`, which TensorBoard names the run by."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    began = history.began.timestamp()
    writer = EventFileWriter(str(place))
    try:
        table = "\n".join(
            ["| setting | value |", "|---|---|", *(f"| {k} | {v} |" for k, v in history.params.items())]
        )
        told = json.dumps(dict(history.told), default=str)
        for tag, text in ((_TOLD, told), (_SETTINGS, table)):
            writer.add_event(Event(wall_time=began, step=0, summary=Summary(value=[_text(tag, text)])))
        last = max((scalar.step for scalar in history.scalars), default=0)
        results = [Scalar(f"{_RESULTS}/{name}", last, 0.0, value) for name, value in history.results.items()]
        for name, step, seconds, value in [*history.scalars, *results]:
            summary = Summary(value=[Summary.Value(tag=name, simple_value=value)])
            writer.add_event(Event(wall_time=began + seconds, step=step, summary=summary))
    finally:
        writer.close()
    return place


def _text(tag: str, text: str) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING

    plugin = SummaryMetadata.PluginData(plugin_name="text")
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
    tensor = TensorProto(dtype=DT_STRING, string_val=[text.encode()], tensor_shape=shape)
    return Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin), tensor=tensor)


def read(folder: Path) -> Iterator[History]:
    """The history of every folder with event files, at `folder` and below. Raises ConfigError without any."""
    places = sorted({path.parent for path in folder.rglob("*tfevents*") if path.is_file()})
    if not places:
        raise ConfigError(f"{folder} must have event files of TensorBoard in it or below, it has none")
    for place in places:
        name = place.relative_to(folder).as_posix()
        yield _history(place, folder.name if name == "." else name)


def _history(place: Path, name: str) -> History:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(place), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()
    found = [
        (tag, event.step, event.wall_time, event.value)
        for tag in tags["scalars"]
        for event in events.Scalars(tag)
    ]
    texts = {}
    for tag in tags["tensors"]:
        plugin = events.SummaryMetadata(tag).plugin_data.plugin_name
        if plugin == "scalars":  # as TensorFlow 2 writes them
            found += [
                (tag, e.step, e.wall_time, float(_array(e).reshape(-1)[0])) for e in events.Tensors(tag)
            ]
        elif plugin == "text":
            texts[tag] = bytes(events.Tensors(tag)[-1].tensor_proto.string_val[0]).decode(errors="replace")
    first = min((moment for _, _, moment, _ in found), default=0.0)
    began = moment_of(first if _TOLD not in texts else min(first, events.FirstEventTimestamp()))
    scalars = [
        Scalar(tag, step, seconds_since(began, moment), value)
        for tag, step, moment, value in found
        if not tag.startswith(f"{_RESULTS}/")
    ]
    results = {
        tag.removeprefix(f"{_RESULTS}/"): v for tag, _, _, v in found if tag.startswith(f"{_RESULTS}/")
    }
    told = told_in(texts.get(_TOLD))
    return History(name=name, began=began, params={}, scalars=scalars, results=results, told=told)


def _array(event: Any) -> Any:
    from tensorboard.util.tensor_util import make_ndarray

    return make_ndarray(event.tensor_proto)
