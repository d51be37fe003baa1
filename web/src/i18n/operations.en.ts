/** Words of jobs and settings. */
export const operationsEn = {
  jobs: {
    title: 'Jobs',
    lead: 'Work that the hub does in the background.',
    all: 'All',
    status: 'Status',
    statuses: {
      todo: 'Waiting',
      doing: 'Running',
      succeeded: 'Done',
      failed: 'Failed',
      cancelled: 'Cancelled',
      aborting: 'Stopping',
      aborted: 'Stopped',
    } as Record<string, string>,
    emptyTitle: 'No jobs here',
    emptyText: 'Nothing waits, runs or failed with this status.',
    name: 'Job',
    queue: 'Queue',
    attempts: 'Attempts',
    scheduled: 'Due',
    started: 'Started',
    retry: 'Run again',
    retried: 'The job will run again',
  },
  settings: {
    title: 'Settings',
    lead: 'What this hub runs with, and where each value came from. Change them with environment variables and restart.',
    search: 'Find a setting',
    name: 'Setting',
    value: 'Value',
    source: 'From',
    sources: { default: 'Default', environment: 'Environment', file: 'File', env: 'Environment' } as Record<
      string,
      string
    >,
    empty: 'No setting matches',
    emptyText: 'Try another word.',
    defaultIs: (value: string) => `Default: ${value}`,
    notSet: 'Not set',
    sections: {} as Record<string, string>,
  },
}
