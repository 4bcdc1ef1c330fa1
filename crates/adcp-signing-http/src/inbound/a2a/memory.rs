//! `InMemoryTaskOwners`: the owners of tasks, for one process.

use std::collections::{HashMap, VecDeque};

use adcp_signing_core::{Answer, operation::TaskLookupError};
use parking_lot::Mutex;

use super::{TaskOwner, TaskOwnerStore};

/// How many tasks of one principal are remembered.
const MAX_OF_ONE: usize = 10_000;
/// How many tasks are remembered.
const MAX: usize = 100_000;

/// Remembers the owners of tasks for one process and its lifetime: 10,000 tasks of one principal,
/// 100,000 in all. A principal that makes more loses the oldest of its own.
#[derive(Debug)]
pub struct InMemoryTaskOwners {
    max_of_one: usize,
    max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    owners: HashMap<String, TaskOwner>,
    /// The tasks of each principal, oldest first.
    tasks: HashMap<String, VecDeque<String>>,
}

impl Default for InMemoryTaskOwners {
    fn default() -> Self {
        Self::with_bounds(MAX_OF_ONE, MAX)
    }
}

impl InMemoryTaskOwners {
    /// Other bounds: how many tasks of one principal, and how many in all. At least one.
    pub fn with_bounds(of_one: usize, in_all: usize) -> Self {
        let (max_of_one, max) = (of_one.max(1), in_all.max(1));
        Self { max_of_one, max, state: Mutex::default() }
    }
}

impl TaskOwnerStore for InMemoryTaskOwners {
    fn record<'a>(
        &'a self,
        task_id: &'a str,
        owner: &'a TaskOwner,
    ) -> Answer<'a, (), TaskLookupError> {
        let mut state = self.state.lock();
        if !state.owners.contains_key(task_id) {
            let own = state.tasks.get(&owner.principal).map_or(0, VecDeque::len);
            if own >= self.max_of_one || (own > 0 && state.owners.len() >= self.max) {
                state.forget_oldest_of(&owner.principal);
            } else if state.owners.len() >= self.max {
                // A principal without tasks takes the place of one that has the most.
                let most = state.tasks.iter().max_by_key(|(_, tasks)| tasks.len());
                if let Some(principal) = most.map(|(principal, _)| principal.clone()) {
                    state.forget_oldest_of(&principal);
                }
            }
            state.tasks.entry(owner.principal.clone()).or_default().push_back(task_id.to_owned());
            state.owners.insert(task_id.to_owned(), owner.clone());
        }
        Answer::now(Ok(()))
    }

    fn owner<'a>(&'a self, task_id: &'a str) -> Answer<'a, Option<TaskOwner>, TaskLookupError> {
        Answer::now(Ok(self.state.lock().owners.get(task_id).cloned()))
    }
}

impl State {
    fn forget_oldest_of(&mut self, principal: &str) {
        let Some(tasks) = self.tasks.get_mut(principal) else { return };
        if let Some(oldest) = tasks.pop_front() {
            self.owners.remove(&oldest);
        }
        if tasks.is_empty() {
            self.tasks.remove(principal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn record(store: &InMemoryTaskOwners, task: &str, principal: &str) {
        store.record(task, &TaskOwner::new(principal, None)).await.unwrap();
        let state = store.state.lock();
        let listed: usize = state.tasks.values().map(VecDeque::len).sum();
        assert_eq!(listed, state.owners.len(), "both tables have the same tasks");
        assert!(state.owners.len() <= store.max);
        assert!(state.tasks.values().all(|tasks| (1..=store.max_of_one).contains(&tasks.len())));
    }

    async fn known(store: &InMemoryTaskOwners, tasks: &[&str]) -> Vec<bool> {
        let mut known = Vec::new();
        for task in tasks {
            known.push(store.owner(task).await.unwrap().is_some());
        }
        known
    }

    #[tokio::test]
    async fn a_principal_that_makes_too_many_tasks_loses_the_oldest_of_its_own() {
        let store = InMemoryTaskOwners::with_bounds(2, 4);
        record(&store, "a1", "a").await;
        for task in ["b1", "b2", "b3"] {
            record(&store, task, "b").await;
        }
        assert_eq!(known(&store, &["a1", "b1", "b2", "b3"]).await, [true, false, true, true]);
    }

    #[tokio::test]
    async fn where_all_places_are_taken_the_one_that_has_the_most_makes_room() {
        let store = InMemoryTaskOwners::with_bounds(3, 4);
        for (task, principal) in [("a1", "a"), ("b1", "b"), ("b2", "b"), ("b3", "b")] {
            record(&store, task, principal).await;
        }
        record(&store, "a2", "a").await;
        let tasks = ["a1", "a2", "b1", "b2", "b3"];
        assert_eq!(known(&store, &tasks).await, [false, true, true, true, true]);
        record(&store, "c1", "c").await;
        assert_eq!(known(&store, &tasks).await, [false, true, false, true, true]);
        assert_eq!(known(&store, &["c1"]).await, [true]);
    }

    #[tokio::test]
    async fn bounds_of_zero_are_one() {
        let store = InMemoryTaskOwners::with_bounds(0, 0);
        record(&store, "a1", "a").await;
        record(&store, "b1", "b").await;
        assert_eq!(known(&store, &["a1", "b1"]).await, [false, true]);
    }
}
