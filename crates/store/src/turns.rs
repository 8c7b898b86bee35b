//! What waits by user, and is taken some users at a time, in turn.

use ringback_core::id::UserId;
use std::collections::HashMap;

/// Numbered items by user. In the tables each user's lie together, so what is taken of few users is written to few
/// pages, and not to one an item. In a round all users that there are at its beginning have their turn, by id.
#[derive(Debug)]
pub(crate) struct Turns<T> {
    /// Each user's in order of their numbers; no user without one.
    users: HashMap<UserId, Vec<(u64, T)>>,
    /// How many items there are.
    count: usize,
    /// Whose turn is still to come in this round, the next one last.
    round: Vec<UserId>,
    /// How many users the round began with.
    began: usize,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { users: HashMap::new(), count: 0, round: Vec::new(), began: 0 }
    }
}

impl<T> Turns<T> {
    /// How many items there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// A user's, in order of their numbers.
    pub(crate) fn of(&self, user: &UserId) -> &[(u64, T)] {
        self.users.get(user).map_or(&[], Vec::as_slice)
    }

    /// All, by user and number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&UserId, u64, &T)> {
        let mut users: Vec<_> = self.users.iter().collect();
        users.sort_unstable_by_key(|(user, _)| *user);
        users.into_iter().flat_map(|(user, items)| items.iter().map(move |(number, item)| (user, *number, item)))
    }

    /// All, in no order.
    pub(crate) fn items(&self) -> impl Iterator<Item = &(u64, T)> {
        self.users.values().flatten()
    }

    /// Puts an item in its place; of two with the same number the last counts.
    pub(crate) fn put(&mut self, user: UserId, number: u64, item: T) {
        let items = self.users.entry(user).or_default();
        if items.last().is_none_or(|(last, _)| *last < number) {
            items.push((number, item));
            self.count += 1;
            return;
        }
        match items.binary_search_by_key(&number, |(number, _)| *number) {
            Ok(at) => items[at].1 = item,
            Err(at) => {
                items.insert(at, (number, item));
                self.count += 1;
            }
        }
    }

    /// Takes out one item, if it is there.
    pub(crate) fn remove(&mut self, user: &UserId, number: u64) {
        let Some(items) = self.users.get_mut(user) else { return };
        if let Ok(at) = items.binary_search_by_key(&number, |(number, _)| *number) {
            items.remove(at);
            self.count -= 1;
            if items.is_empty() {
                self.users.remove(user);
            }
        }
    }

    /// Takes out everything.
    pub(crate) fn take_all(&mut self) -> Self {
        let (users, count) = (std::mem::take(&mut self.users), std::mem::take(&mut self.count));
        Self { users, count, ..Self::default() }
    }

    /// Takes out everything of the next users: as many as have their turn in one of so many parts of the round.
    pub(crate) fn take_part(&mut self, parts: usize) -> Self {
        if self.round.is_empty() {
            self.begin();
        }
        let left = self.round.len().saturating_sub(self.began.div_ceil(parts));
        let mut taken = Self::default();
        for user in self.round.split_off(left) {
            self.hand_over(user, &mut taken);
        }
        taken
    }

    /// Takes out everything of the next users, as long as more than so many items are left.
    pub(crate) fn take_over(&mut self, most: usize) -> Self {
        let mut taken = Self::default();
        while self.count > most {
            match self.round.pop() {
                Some(user) => self.hand_over(user, &mut taken),
                None => self.begin(),
            }
        }
        taken
    }

    fn begin(&mut self) {
        self.round = self.users.keys().cloned().collect();
        self.round.sort_unstable_by(|a, b| b.cmp(a));
        self.began = self.round.len();
    }

    fn hand_over(&mut self, user: UserId, to: &mut Self) {
        if let Some(items) = self.users.remove(&user) {
            self.count -= items.len();
            to.count += items.len();
            to.users.insert(user, items);
        }
    }

    /// Takes out which items are asked for, whosever turn it is.
    pub(crate) fn take_if(&mut self, which: impl Fn(&T) -> bool) -> Self {
        let mut taken = Self::default();
        self.users.retain(|user, items| {
            if items.iter().any(|(_, item)| which(item)) {
                let of_user: Vec<_> = items.extract_if(.., |(_, item)| which(item)).collect();
                taken.count += of_user.len();
                taken.users.insert(user.clone(), of_user);
            }
            !items.is_empty()
        });
        self.count -= taken.count;
        taken
    }

    /// Puts in all that another has.
    pub(crate) fn append(&mut self, other: Self) {
        for (user, items) in other.users {
            items.into_iter().for_each(|(number, item)| self.put(user.clone(), number, item));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: u64) -> UserId {
        UserId::new(&format!("user-{n:03}")).unwrap()
    }

    fn all(of: &Turns<char>) -> Vec<(UserId, u64)> {
        assert_eq!(of.iter().count(), of.len());
        of.iter().map(|(user, number, _)| (user.clone(), number)).collect()
    }

    fn four_users() -> Turns<char> {
        let mut turns = Turns::default();
        (0..8).for_each(|n| turns.put(user(n % 4), n / 4, 'a'));
        turns
    }

    #[test]
    fn users_are_taken_in_turn_each_with_all_that_is_theirs() {
        let mut turns = four_users();
        assert_eq!(all(&turns.take_part(4)), [(user(0), 0), (user(0), 1)]);
        assert_eq!(all(&turns.take_over(6)), [], "no more than need be");
        turns.put(user(0), 2, 'a');
        assert_eq!(all(&turns.take_over(4)), [(user(1), 0), (user(1), 1), (user(2), 0), (user(2), 1)]);
        assert_eq!(all(&turns.take_part(4)), [(user(3), 0), (user(3), 1)]);
        turns.put(user(2), 2, 'a');
        assert_eq!(all(&turns.take_over(1)), [(user(0), 2)], "and round again");
        assert_eq!(all(&turns.take_all()), [(user(2), 2)]);
        assert_eq!(all(&turns.take_part(4)), []);
        assert_eq!(all(&turns.take_over(0)), []);
        assert_eq!((turns.len(), turns.users.len()), (0, 0));
    }

    #[test]
    fn what_is_taken_whosever_turn_it_is_can_be_put_back() {
        let mut turns = four_users();
        turns.put(user(2), 0, 'b');
        turns.put(user(3), 1, 'b');
        let before = all(&turns);
        assert_eq!(before.len(), 8, "the last counts");
        let taken = turns.take_if(|item| *item == 'b');
        assert_eq!(all(&taken), [(user(2), 0), (user(3), 1)]);
        assert_eq!(turns.of(&user(2)), [(1, 'a')]);
        turns.append(taken);
        assert_eq!(all(&turns), before);
        turns.remove(&user(1), 0);
        turns.remove(&user(1), 1);
        turns.remove(&user(1), 1);
        assert_eq!((turns.len(), turns.users.len()), (6, 3));
    }
}
