"""Options of the report page."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ReportConfig(BaseModel):
    """What the report page shows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    samples: int = Field(
        default=120, ge=0, le=5000, description="contrastive samples in the gallery, spread over reports and types"
    )
    text_samples: int = Field(default=40, ge=0, le=5000, description="text-only samples in the gallery")
    rejected: int = Field(default=12, ge=0, le=500, description="examples of each reason for a rejection")
    image_side: int = Field(default=760, ge=100, le=4000, description="longest side of a figure on the page, pixels")
    page_side: int = Field(default=520, ge=100, le=4000, description="longest side of a page thumbnail, pixels")
    jpeg_quality: int = Field(default=72, ge=20, le=95, description="quality of the images in the page")
    max_megabytes: float = Field(
        default=20.0, gt=0, le=500, description="size of the page; samples that would make it larger are left out"
    )
