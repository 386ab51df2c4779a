"""Teachers that the service runs: one vLLM server for the jobs of many owners.

`ManagedTeacherPool` (managed_pool.py) is what the supervisor of jobs uses. It starts a
teacher host (host.py), a process of its own that outlives the server; the host starts
vLLM when a job needs it (hosted_server.py), and forwards the requests of each job
(job_site.py) in the order that FairSlots (fair_slots.py) decides. The other end is
builder/teachers/shared.py, in the job's process.
"""
