"""Shipped record types: one declaration per module, nothing that acts."""

from __future__ import annotations

from coverslip.kernel.words import Type
from coverslip.records.documents import (
    document_policy,
    document_sop,
    esign_acknowledgement,
    training_record,
)
from coverslip.records.imaging import (
    acquisition_session,
    algorithm,
    analysis_method,
    analysis_run,
    calibration,
    image,
    image_set,
    instrument,
    parameter_set,
    result_set,
    study,
)
from coverslip.records.organisation import (
    access_review,
    alert,
    certification_letter,
    role,
    role_grant,
    site,
    user,
)
from coverslip.records.quality import hold, release_decision, restore_test, review_case

__all__ = ["all_types"]

_MODULES = (
    site,
    user,
    role,
    role_grant,
    document_policy,
    document_sop,
    training_record,
    esign_acknowledgement,
    certification_letter,
    instrument,
    calibration,
    study,
    acquisition_session,
    image,
    image_set,
    algorithm,
    parameter_set,
    analysis_method,
    analysis_run,
    result_set,
    review_case,
    release_decision,
    hold,
    alert,
    access_review,
    restore_test,
)


def all_types() -> tuple[Type, ...]:
    """Return every shipped type, in the order of the domain model."""
    return tuple(module.TYPE for module in _MODULES)
