"""A record of nine fields whose every version is kept by django-pghistory's triggers."""

import pghistory
from django.db import models


@pghistory.track()
class Session(models.Model):
    """What the other side calls an acquisition session."""

    title = models.CharField(max_length=300)
    study = models.CharField(max_length=40, db_index=True)
    operator = models.CharField(max_length=40)
    instrument = models.CharField(max_length=40)
    method = models.CharField(max_length=40)
    state = models.CharField(max_length=40, db_index=True)
    gxp = models.CharField(max_length=20)
    environment = models.JSONField()
    not_imaged = models.TextField()
