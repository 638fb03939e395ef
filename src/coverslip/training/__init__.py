"""Training of everybody by what their roles ask: who lacks what, and the assignments that follow."""

from coverslip.training.assigning import Assignments as Assignments
from coverslip.training.matrix import Matrix as Matrix
