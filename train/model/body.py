"""Body encoder: a body crop to what it shows, frame by frame. Knows no identity, no scene and no time."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from train.model.head import Residual


@dataclass(frozen=True, slots=True)
class BodyConfig:
    """Sizes of the body encoder; the crop in pixels, multiples of 16. `signs`: how many numbers it tells."""

    width: int = 80
    height: int = 112
    channels: tuple[int, int, int, int] = (24, 48, 64, 96)
    narrow: int = 32
    hidden: int = 96
    signs: int = 59


class BodyEncoder(nn.Module):
    """Crops to signs. Small: places are kept to the end, so that joints are read where they are."""

    def __init__(self, config: BodyConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        before = 3
        for index, after in enumerate(config.channels):
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
            if index in (1, 2):
                layers.append(Residual(after))
            before = after
        layers += [nn.Conv2d(before, config.narrow, 1, bias=False), nn.BatchNorm2d(config.narrow), nn.ReLU()]
        self.trunk = nn.Sequential(*layers)
        places = (config.width // 16) * (config.height // 16)
        self.fc = nn.Linear(config.narrow * places, config.hidden)
        self.say = nn.Linear(config.hidden, config.signs)

    def maps(self, crops: Tensor) -> Tensor:
        """(N, 3, height, width) to (N, C, height / 16, width / 16)."""
        out: Tensor = self.trunk(crops)
        return out

    def tell(self, maps: Tensor) -> Tensor:
        """What the maps show: (N, signs)."""
        out: Tensor = self.say(F.gelu(self.fc(maps.flatten(1))))
        return out

    def forward(self, crops: Tensor) -> Tensor:
        """Normalised body crops (N, 3, height, width) to signs (N, signs)."""
        return self.tell(self.maps(crops))
