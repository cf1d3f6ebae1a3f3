/** Things to undo, latest first, also when the bench is interrupted. */
export class Undo {
  private readonly steps: (() => Promise<void> | void)[] = []

  add(step: () => Promise<void> | void): void {
    this.steps.push(step)
  }

  async all(): Promise<void> {
    for (let step = this.steps.pop(); step; step = this.steps.pop()) await step()
  }
}
