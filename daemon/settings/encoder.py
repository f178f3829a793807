"""Which encoder, and how it computes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from daemon.settings.section import Section
from daemon.units import Duration, Size, parse_duration, parse_size


class OpenClipSettings(Section):
    model: str = "ViT-L-14-336-quickgelu"
    pretrained: str = "openai"
    weights_path: Path | None = None
    cache_dir: Path | None = None
    activation: Literal["quick_gelu", "gelu"] = "quick_gelu"
    transform: Literal["paper", "clip"] = "paper"
    precision: Literal["fp32", "bf16"] = "fp32"
    backend: Literal["torch", "openvino"] = "torch"
    compiled_dir: Path | None = None
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    batch_size: int = Field(16, ge=1)


class ExternalEncoderSettings(Section):
    fingerprint: str | None = None
    dimension: int | None = Field(None, ge=2)


class FusedEncoderSettings(Section):
    encoders: tuple[Literal["open_clip", "forensic"], ...] = ("open_clip", "forensic")

    @model_validator(mode="after")
    def _several_and_each_once(self) -> FusedEncoderSettings:
        if len(self.encoders) < 2 or len(set(self.encoders)) != len(self.encoders):
            raise ValueError("`encoders` needs at least two encoders, each once, for example [open_clip, forensic]")
        return self


class EncoderSettings(Section):
    name: Literal["open_clip", "forensic", "fused", "external"] = "open_clip"
    threads: int = Field(2, ge=1)
    memory_limit: Size = parse_size("8GiB")
    deadline: Duration = parse_duration("2m")
    open_clip: OpenClipSettings = OpenClipSettings()
    fused: FusedEncoderSettings = FusedEncoderSettings()
    external: ExternalEncoderSettings = ExternalEncoderSettings()

    @property
    def parts(self) -> tuple[str, ...]:
        """The encoders that this one is made of: itself, unless it is fused."""
        return self.fused.encoders if self.name == "fused" else (self.name,)


class ReembedSettings(Section):
    samples_per_cycle: int = Field(200, ge=1)
    memory_limit: Size = parse_size("8GiB")
