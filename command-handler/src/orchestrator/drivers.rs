//! The drivers of an instance: at most one for each order, and a bound for all of them.

use std::collections::HashMap;
use std::sync::Mutex;

use domain::ids::OrderId;
use tokio::sync::mpsc::{Sender, error::TrySendError};

use super::results::NoDriver;
use crate::driver::message::{Message, Placed, Start};
use crate::lock::lock;
use crate::permits::{Permit, Permits};

/// The inbox of each order that has a driver, and the permits for drivers.
#[derive(Debug)]
pub(crate) struct Drivers {
    inboxes: Mutex<HashMap<OrderId, Sender<Message>>>,
    permits: Permits,
    /// Permits for operators' commands, however many orders have a driver.
    reserve: Permits,
}

impl Drivers {
    /// At most `max_active` drivers, and `reserve` more for operators' commands.
    pub fn new(max_active: usize, reserve: usize) -> Self {
        Self { inboxes: Mutex::default(), permits: Permits::new(max_active), reserve: Permits::new(reserve) }
    }

    /// From now on, at most `max_active` drivers. Those that run go on.
    pub fn resize(&self, max_active: usize) {
        self.permits.resize(max_active);
    }

    /// How many more drivers may start.
    pub fn free(&self) -> usize {
        self.permits.free()
    }

    /// Whether enough drivers are free for work that another instance could do as well.
    pub fn has_room(&self) -> bool {
        self.free() >= self.permits.most() / 4
    }

    /// How many drivers one participant may hold while few are free: a quarter of the free ones. So
    /// some are left for other participants, however many are silent. `None`: enough are free.
    pub fn share(&self) -> Option<usize> {
        let free = self.free();
        (free < self.permits.most() / 2).then_some(free / 4)
    }

    /// How many orders have a driver.
    pub fn len(&self) -> usize {
        lock(&self.inboxes).len()
    }

    /// A permit for a driver.
    pub fn permit(&self) -> Result<Permit, NoDriver> {
        self.permits.try_take().ok_or(NoDriver::Full)
    }

    /// A permit for the driver of an order that an operator sends a command.
    pub fn permit_for_operator(&self) -> Result<Permit, NoDriver> {
        self.permit().or_else(|_| self.reserve.try_take().ok_or(NoDriver::Full))
    }

    /// Delivers a message to the order's driver. `start` starts a driver if the order has none.
    pub fn deliver(
        &self,
        order_id: OrderId,
        message: Message,
        start: impl FnOnce(&Message) -> Result<Sender<Message>, NoDriver>,
    ) -> Result<(), NoDriver> {
        let mut inboxes = lock(&self.inboxes);
        let message = match inboxes.get(&order_id) {
            None => message,
            Some(inbox) => match inbox.try_send(message) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => return Err(NoDriver::Full),
                // Its driver ended with a panic: a new one takes the order over.
                Err(TrySendError::Closed(message)) => message,
            },
        };
        let inbox = start(&message)?;
        inboxes.insert(order_id, inbox.clone());
        inbox.try_send(message).map_err(|_| NoDriver::Full)
    }

    /// Gives a placed order to its driver; `start` starts one. Where another message has started a
    /// driver already, or the log acknowledged the events `late`, the driver reads the log before
    /// it performs the events.
    pub fn deliver_placed(
        &self,
        order_id: OrderId,
        placed: Placed,
        late: bool,
        start: impl FnOnce(Start) -> Sender<Message>,
    ) {
        let mut inboxes = lock(&self.inboxes);
        let running = inboxes.get(&order_id).filter(|inbox| !inbox.is_closed()).cloned();
        let inbox = match running {
            Some(inbox) => inbox,
            None if late => {
                let inbox = start(Start::Asked);
                inboxes.insert(order_id, inbox.clone());
                inbox
            }
            None => {
                inboxes.insert(order_id, start(Start::Placed(Box::new(placed))));
                return;
            }
        };
        // If the inbox is full, the attempts count as lost.
        drop(inbox.try_send(Message::Placed(placed.events)));
    }

    /// Removes a driver that cannot continue.
    pub fn remove(&self, order_id: &OrderId) {
        lock(&self.inboxes).remove(order_id);
    }

    /// Removes a driver if it is idle. No message can arrive between the check and the end of
    /// `leave`.
    pub fn remove_if_idle(&self, order_id: &OrderId, is_idle: impl FnOnce() -> bool, leave: impl FnOnce()) -> bool {
        let mut inboxes = lock(&self.inboxes);
        if !is_idle() {
            return false;
        }
        inboxes.remove(order_id);
        leave();
        true
    }
}
