"""What goes on behind the pages, whoever watches: the queue of a home, its workers, and live demos.

service    the one home and the one queue of this process
manager    the queue: what runs when, on which device, and how it is stopped
workers    its threads; work, what each kind of job does; resources, what it takes from the machine
demos      live adaptations in threads of their own; demo, what one has shown so far
calibrations  what runs would cost, measured beside the queue
listeners  what a job says while it runs; endings, what has ended and who was told
health     what an operator watches
"""
