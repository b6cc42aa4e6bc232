"""imtnas_three_tasks.py in the second setting: every task's encoder learns from its task, too (reading 2).

The paper's Eq. 4 trains the encoders after the first stage by the transfer alone. Here the gradient of their task's
loss is added to it.
"""
_base_ = ['imtnas_three_tasks.py']
model = dict(encoder_task_weight=1.)
