"""Jobs as tables and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.text import Text

from skills.job import Job, JobState
from training.cli.output import Table, cell

_STYLES = {JobState.SUCCEEDED: "green", JobState.FAILED: "red", JobState.RUNNING: "yellow"}


def job_document(job: Job) -> dict[str, Any]:
    """Return everything about a job but its rows, for JSON."""
    times = {name: _iso(getattr(job, name)) for name in ("submitted_at", "started_at", "finished_at")}
    return {**asdict(job), "request": job.request.as_dict(), **times}


def jobs_table(jobs: Sequence[Job]) -> Table:
    """Return one row a job."""
    return Table(
        ("job", "skill", "kind", "state", "progress", "attempt", "version", "submitted (UTC)", "reason"),
        [
            (
                cell(job.id, "bold"),
                cell(job.request.skill),
                cell(job.request.kind),
                _state(job),
                cell(_progress(job)),
                cell(f"{job.attempts}/{job.max_attempts}"),
                cell(job.version or "-"),
                cell(f"{job.submitted_at:%Y-%m-%d %H:%M}"),
                cell(job.reason or "-"),
            )
            for job in jobs
        ],
    )


def job_table(job: Job) -> Table:
    """Return one job in full."""
    request = job.request
    values = {
        "skill, kind": f"{request.skill}, {request.kind}",
        "progress": _progress(job),
        "attempts": f"{job.attempts} of {job.max_attempts}",
        "reason": job.reason or "-",
        "version": job.version or "-",
        "alias": request.alias or "none",
        "gates": ", ".join(f"{key}={value}" for key, value in request.gates.items()) or "none",
        "grown from": request.grown_from or "-",
        "settings": ", ".join(f"{key}={value}" for key, value in request.config.items()) or "defaults",
        "rows": f"SHA-256 {job.dataset[:12]}",
        "priority": job.priority,
        "worker": job.worker or "-",
        "submitted": f"{_minute(job.submitted_at)} UTC by {job.submitted_by or '-'}",
        "started": _minute(job.started_at),
        "finished": _minute(job.finished_at),
    }
    rows = [(cell(name), cell(value)) for name, value in values.items()]
    return Table((f"job {job.id}", str(job.state)), rows)


def _state(job: Job) -> Text:
    cancelled = job.is_cancel_requested and not job.state.is_final
    return cell(f"{job.state}, to be cancelled" if cancelled else job.state, _STYLES.get(job.state, ""))


def _progress(job: Job) -> str:
    progress = job.progress
    return f"{progress.run} {progress.step}/{progress.steps}" if progress.steps else "-"


def _minute(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
