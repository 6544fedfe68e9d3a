/** Why a request is not answered. The message is ours alone: nothing of the request is in it. */
export interface Refusal {
  readonly status: number
  readonly kind: string
  readonly message: string
}
