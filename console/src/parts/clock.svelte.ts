/** The present, for texts such as `3 min ago`: moves on every ten seconds, and at once where asked. */
class Clock {
  now = $state(Date.now());

  constructor() {
    setInterval(() => {
      if (!document.hidden) this.now = Date.now();
    }, 10_000);
  }

  tick() {
    this.now = Date.now();
  }
}

export const clock = new Clock();
