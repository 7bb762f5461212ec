"""The tutor: the offline default, a small policy that counts and quotes, and says what is beyond it."""

from __future__ import annotations

from rlm_kernel.models.tutor.model import TutorModel

__all__ = ["TutorModel"]
